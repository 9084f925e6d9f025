package triage

import (
	"bytes"
	"encoding/json"
	"math"

	"picket"
)

// The OCSF objects, as far as a finding fills them.
type (
	event struct {
		ActivityID      int           `json:"activity_id"`
		ActivityName    string        `json:"activity_name"`
		CategoryUID     int           `json:"category_uid"`
		CategoryName    string        `json:"category_name"`
		ClassUID        int           `json:"class_uid"`
		ClassName       string        `json:"class_name"`
		TypeUID         int           `json:"type_uid"`
		TypeName        string        `json:"type_name"`
		Time            int64         `json:"time"` // this and all times: epoch milliseconds
		StartTime       int64         `json:"start_time"`
		EndTime         int64         `json:"end_time"`
		SeverityID      int           `json:"severity_id"`
		Severity        string        `json:"severity"`
		StatusID        int           `json:"status_id"`
		Status          string        `json:"status"`
		StatusDetail    string        `json:"status_detail,omitempty"`
		ConfidenceID    int           `json:"confidence_id"`
		Confidence      string        `json:"confidence"`
		ConfidenceScore int           `json:"confidence_score"` // 0 to 100
		IsAlert         bool          `json:"is_alert"`
		VerdictID       int           `json:"verdict_id,omitempty"`
		Verdict         string        `json:"verdict,omitempty"`
		Count           int           `json:"count,omitempty"`
		Message         string        `json:"message"`
		Metadata        metadata      `json:"metadata"`
		Cloud           cloud         `json:"cloud"`
		FindingInfo     findingInfo   `json:"finding_info"`
		Evidences       []evidences   `json:"evidences"`
		Resources       []resource    `json:"resources"`
		Observables     []observable  `json:"observables"`
		Unmapped        unmappedField `json:"unmapped"`
	}
	metadata struct {
		Version       string   `json:"version"`
		Profiles      []string `json:"profiles"`
		UID           string   `json:"uid"`
		LogName       string   `json:"log_name,omitempty"`
		ProcessedTime int64    `json:"processed_time,omitempty"`
		Product       product  `json:"product"`
	}
	product struct {
		Name       string `json:"name"`
		VendorName string `json:"vendor_name"`
		UID        string `json:"uid"`
		Version    string `json:"version,omitempty"`
	}
	cloud struct {
		Provider string   `json:"provider"`
		Region   string   `json:"region,omitempty"`
		Account  *account `json:"account,omitempty"`
	}
	account struct {
		UID    string `json:"uid"`
		TypeID int    `json:"type_id,omitempty"`
		Type   string `json:"type,omitempty"`
	}
	findingInfo struct {
		UID           string   `json:"uid"`
		Title         string   `json:"title"`
		Desc          string   `json:"desc"`
		FirstSeenTime int64    `json:"first_seen_time"`
		LastSeenTime  int64    `json:"last_seen_time"`
		Types         []string `json:"types,omitempty"`
		DataSources   []string `json:"data_sources,omitempty"`
		Analytic      analytic `json:"analytic"`
		Attacks       []attack `json:"attacks,omitempty"`
	}
	analytic struct {
		TypeID int    `json:"type_id"`
		Type   string `json:"type"`
		Name   string `json:"name"`
		UID    string `json:"uid,omitempty"`
	}
	attack struct {
		Version      string    `json:"version"`
		Tactic       attackID  `json:"tactic"`
		Technique    attackID  `json:"technique"`
		SubTechnique *attackID `json:"sub_technique,omitempty"`
	}
	attackID struct {
		UID  string `json:"uid"`
		Name string `json:"name"`
	}
	evidences struct {
		Name string       `json:"name"`
		Src  *endpoint    `json:"src_endpoint,omitempty"`
		Dst  *endpoint    `json:"dst_endpoint,omitempty"`
		Data evidenceData `json:"data"`
	}
	endpoint struct {
		IP   string `json:"ip,omitempty"`
		Name string `json:"name,omitempty"`
	}
	evidenceData struct {
		WindowStart   int64             `json:"window_start"` // Unix seconds
		WindowSeconds int64             `json:"window_seconds"`
		Features      map[string]number `json:"features"`
		Contributions []contribution    `json:"contributions"`
		Objects       []picket.Evidence `json:"objects,omitempty"`
	}
	contribution struct {
		Feature string `json:"feature"`
		Value   number `json:"value"`
		Shap    number `json:"shap"`
	}
	resource struct {
		UID    string `json:"uid"`
		Type   string `json:"type"`
		IP     string `json:"ip,omitempty"`
		RoleID int    `json:"role_id"`
		Role   string `json:"role"`
	}
	observable struct {
		Name   string `json:"name"`
		TypeID int    `json:"type_id"`
		Type   string `json:"type"`
		Value  string `json:"value"`
	}
	unmappedField struct {
		Picket ours `json:"picket"`
	}
	// ours is what OCSF has no place for.
	ours struct {
		Status     string        `json:"status"`
		Revision   string        `json:"revision"`
		Successor  string        `json:"successor,omitempty"`
		Detector   string        `json:"detector"`
		Class      string        `json:"class"`
		Type       string        `json:"type"`
		EntityKind string        `json:"entity_kind"`
		Entity     string        `json:"entity"`
		Peers      []string      `json:"peers,omitempty"`
		Network    string        `json:"network,omitempty"`
		Hosts      int           `json:"hosts,omitempty"`
		Others     []string      `json:"others,omitempty"`
		Facts      []picket.Fact `json:"facts,omitempty"`
		Windows    int           `json:"windows"`
		Confidence number        `json:"confidence"` // 0 to 1, not rounded
		Margin     number        `json:"margin"`
		Threshold  number        `json:"threshold"`
		Cut        string        `json:"threshold_from"`
		Model      string        `json:"model"`
		Source     string        `json:"source"`

		Verdict *picket.Verdict `json:"verdict,omitempty"`
	}
)

// number is a float that JSON can hold: NaN and infinities are null, and null is NaN.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func (n *number) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}
