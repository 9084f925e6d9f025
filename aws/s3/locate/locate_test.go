package locate

import (
	"testing"

	"picket/aws/s3"
)

func TestAddress(t *testing.T) {
	f := func(text string, want Address) {
		t.Helper()
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	f("s3://logs", Address{Options: s3.Options{Name: "logs"}})
	f("s3://logs/", Address{Options: s3.Options{Name: "logs"}})
	f("s3://logs/a/b", Address{Options: s3.Options{Name: "logs", Prefix: "a/b/"}})
	f("s3://logs/a/?region=eu-north-1&kms=alias/x&profile=p&endpoint=http://127.0.0.1:9000",
		Address{Options: s3.Options{Name: "logs", Prefix: "a/", KMSKey: "alias/x"}, Region: "eu-north-1", Profile: "p", Endpoint: "http://127.0.0.1:9000"})
	for _, bad := range []string{
		"", "logs", "s3://", "http://logs", "s3://logs?endpont=x", "s3://logs?endpoint=127.0.0.1", "s3://logs/../x",
		"s3://logs//x", "s3://user:pw@logs", "s3://logs#x", "s3://logs?endpoint=file:///etc",
	} {
		if a, err := Parse(bad); err == nil {
			t.Errorf("%q was taken: %+v", bad, a)
		}
	}
}
