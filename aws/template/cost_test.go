package template

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPrices(t *testing.T) {
	p := KnownPrices()
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil || p.Region == "" {
		t.Errorf("%q %q: %v", p.Date, p.Region, err)
	}
	for name, price := range p.By {
		aws := strings.HasPrefix(price.Page, "https://aws.amazon.com/")
		if price.USD <= 0 || price.Unit == "" || !strings.HasPrefix(price.Page, "https://") || aws == (price.Read == "quoted") || !slices.Contains([]string{"page", "quoted", "memory"}, price.Read) {
			t.Errorf("%s: %+v", name, price)
		}
	}
}

func costOf(t *testing.T, p Params, v Volume) Cost {
	t.Helper()
	c, err := Estimate(p, v, KnownPrices())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range c.Items {
		if i.Unpriced || i.Quantity <= 0 || math.IsNaN(i.USD) {
			t.Errorf("%+v", i)
		}
	}
	return c
}

// item returns the cost of the items whose name begins so.
func item(c Cost, prefix string) (usd float64) {
	for _, i := range c.Items {
		if strings.HasPrefix(i.What, prefix) {
			usd += i.USD
		}
	}
	return usd
}

func TestEstimate(t *testing.T) {
	plain := costOf(t, Defaults(), SmallSite)
	if usd := plain.USD(); usd < 10 || usd > 200 {
		t.Errorf("a small site costs %.2f", usd)
	}
	if item(plain, "VPC") != 0 || item(plain, "SageMaker, endpoint") != 0 || item(plain, "KMS, key") != 1 || item(plain, "KMS, requests") == 0 {
		t.Errorf("%+v", plain.Items)
	}
	all := costOf(t, full(), SmallSite)
	if got, want := item(all, "SageMaker, endpoint"), 730*0.056; math.Abs(got-want) > 1e-9 {
		t.Errorf("endpoint: %v, want %v", got, want)
	}
	// events, sagemaker.runtime, sagemaker.api, application-autoscaling, securityhub in two subnets
	if got, want := item(all, "VPC, interface endpoints"), 5*2*730*0.01; math.Abs(got-want) > 1e-9 {
		t.Errorf("interface endpoints: %v, want %v", got, want)
	}
	own := full()
	own.KmsKeyArn = "arn:aws:kms:us-east-1:111122223333:key/11111111-1111-4111-8111-111111111111"
	if got := item(costOf(t, own, SmallSite), "KMS, key"); got != 0 {
		t.Errorf("a key of one's own costs %v", got)
	}
	more := SmallSite
	more.GBPerDay *= 10
	if item(costOf(t, Defaults(), more), "Lambda, time") < 9*item(plain, "Lambda, time") {
		t.Error("ten times the records cost not ten times the time")
	}
	strange := full()
	strange.EndpointInstanceType = "ml.unheard.of"
	c, err := Estimate(strange, SmallSite, KnownPrices())
	unpriced := 0
	for _, i := range c.Items {
		if i.Unpriced {
			unpriced++
		}
	}
	if err != nil || unpriced != 1 {
		t.Errorf("an instance without a price: %d, %v", unpriced, err)
	}
}
