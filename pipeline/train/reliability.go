package train

import (
	"math"
	"math/rand/v2"
	"slices"
)

// CalibrationReport says whether rows with confidence p are malicious in p of the cases.
type CalibrationReport struct {
	ECE         float64          `json:"ece"`      // expected calibration error over the bins
	Low         float64          `json:"ece_low"`  // 95 % bootstrap interval
	High        float64          `json:"ece_high"` //
	Brier       float64          `json:"brier"`    // mean squared error of the probability
	Base        float64          `json:"base_rate"`
	Reliability []ReliabilityBin `json:"bins"`
}

// ReliabilityBin is the rows whose probability falls into a tenth.
type ReliabilityBin struct {
	Rows      int     `json:"rows"`
	Predicted float64 `json:"predicted"` // mean probability
	Observed  float64 `json:"observed"`  // malicious part
}

const (
	reliabilityBins = 10
	bootstraps      = 200
	bootstrapRows   = 20_000 // of more rows a sample is drawn: the interval is then a little wide
)

func reliability(rows []Scored, seed uint64) CalibrationReport {
	bins := fill(rows)
	r := CalibrationReport{ECE: bins.ece()}
	var total float64
	for i := range rows {
		y := 0.0
		if rows[i].Malicious {
			y = 1
			r.Base += rows[i].Weight
		}
		r.Brier += rows[i].Weight * (rows[i].P - y) * (rows[i].P - y)
		total += rows[i].Weight
	}
	r.Brier, r.Base = r.Brier/total, r.Base/total
	for _, b := range bins {
		if b.rows > 0 {
			r.Reliability = append(r.Reliability, ReliabilityBin{Rows: b.rows, Predicted: b.p / b.weight, Observed: b.malicious / b.weight})
		}
	}
	r.Low, r.High = eceInterval(rows, seed)
	return r
}

type reliabilityBin struct {
	rows                 int
	weight, p, malicious float64
}

type binSet [reliabilityBins]reliabilityBin

func (s *binSet) add(r *Scored) {
	b := &s[min(int(r.P*reliabilityBins), reliabilityBins-1)]
	b.rows++
	b.weight += r.Weight
	b.p += r.Weight * r.P
	if r.Malicious {
		b.malicious += r.Weight
	}
}

func fill(rows []Scored) *binSet {
	s := new(binSet)
	for i := range rows {
		s.add(&rows[i])
	}
	return s
}

func (s *binSet) ece() float64 {
	var sum, total float64
	for _, b := range s {
		sum += math.Abs(b.p - b.malicious)
		total += b.weight
	}
	return ratio(sum, total)
}

func eceInterval(rows []Scored, seed uint64) (low, high float64) {
	random := rand.New(rand.NewPCG(seed, 2))
	errors := make([]float64, bootstraps)
	for i := range errors {
		s := new(binSet)
		for range min(len(rows), bootstrapRows) {
			s.add(&rows[random.IntN(len(rows))])
		}
		errors[i] = s.ece()
	}
	slices.Sort(errors)
	return errors[bootstraps/40], errors[bootstraps-1-bootstraps/40]
}

// Histogram counts margins of normal and malicious rows.
type Histogram struct {
	Low       float64   `json:"low"` // of the first bin
	Width     float64   `json:"width"`
	Normal    []float64 `json:"normal"` // share of normal rows in each bin
	Malicious []float64 `json:"malicious"`
}

const histogramBins = 40

func histogram(rows []Scored) Histogram {
	low, high := math.Inf(1), math.Inf(-1)
	for i := range rows {
		low, high = min(low, rows[i].Margin), max(high, rows[i].Margin)
	}
	h := Histogram{Low: low, Width: max((high-low)/histogramBins, 1e-9), Normal: make([]float64, histogramBins), Malicious: make([]float64, histogramBins)}
	var normal, malicious float64
	for i := range rows {
		at := min(int((rows[i].Margin-low)/h.Width), histogramBins-1)
		if rows[i].Malicious {
			h.Malicious[at] += rows[i].Weight
			malicious += rows[i].Weight
		} else {
			h.Normal[at] += rows[i].Weight
			normal += rows[i].Weight
		}
	}
	for i := range histogramBins {
		h.Normal[i], h.Malicious[i] = ratio(h.Normal[i], normal), ratio(h.Malicious[i], malicious)
	}
	return h
}
