// Package locate opens buckets in S3 by where they are: s3://NAME?region=… -> a bucket.
//
// It is apart from aws/s3 because the functions have no use for it: what reads profiles
// and finds credentials is a twentieth of a megabyte of their zip, and of each start.
package locate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"picket/aws/s3"
	"picket/store"
)

// Address is where a bucket is: s3://NAME/PREFIX?endpoint=URL&region=R&profile=P&kms=KEY.
// All after the name may be left out: the region, the credentials and the endpoint
// are then those of the environment and of ~/.aws, as for the AWS command line.
type Address struct {
	s3.Options
	Endpoint string // of what speaks S3's protocol; "" is AWS
	Region   string
	Profile  string // in ~/.aws/config
}

// Parse reads an address.
func Parse(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("bucket %q: %w", text, err)
	}
	a := Address{Options: s3.Options{Name: u.Host, Prefix: strings.TrimPrefix(u.Path, "/")}}
	if u.Scheme != "s3" || a.Name == "" || u.User != nil || u.Fragment != "" {
		return a, fmt.Errorf("bucket %q: not s3://NAME/PREFIX", text)
	}
	if a.Prefix != "" {
		a.Prefix = strings.TrimSuffix(a.Prefix, "/") + "/"
		if err := store.CheckKey(a.Prefix + "x"); err != nil {
			return a, fmt.Errorf("bucket %q: %w", text, err)
		}
	}
	for name, values := range u.Query() {
		field := map[string]*string{"endpoint": &a.Endpoint, "region": &a.Region, "profile": &a.Profile, "kms": &a.KMSKey}[name]
		if field == nil {
			return a, fmt.Errorf("bucket %q: %q is none of endpoint, region, profile, kms", text, name)
		}
		*field = values[0]
	}
	if e, err := url.Parse(a.Endpoint); a.Endpoint != "" && (err != nil || e.Host == "" || e.Scheme != "http" && e.Scheme != "https") {
		return a, fmt.Errorf("bucket %q: endpoint %q is not http://HOST or https://HOST", text, a.Endpoint)
	}
	return a, nil
}

// Open returns the bucket at an address. It asks nothing of it yet.
func Open(ctx context.Context, address string) (*s3.Bucket, error) {
	a, err := Parse(address)
	if err != nil {
		return nil, err
	}
	return a.Open(ctx)
}

// Open returns the bucket at the address. It asks nothing of it yet.
func (a Address) Open(ctx context.Context) (*s3.Bucket, error) {
	cfg, err := a.Config(ctx)
	if err != nil {
		return nil, err
	}
	return s3.New(s3.NewClient(cfg, a.Endpoint), a.Options), nil
}

// Config returns the region and the credentials that an address is opened with, for
// what else is asked of the same account.
func (a Address) Config(ctx context.Context) (aws.Config, error) {
	var options []func(*config.LoadOptions) error
	if a.Region != "" {
		options = append(options, config.WithRegion(a.Region))
	}
	if a.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("bucket %q: %w", a.Name, err)
	}
	if cfg.Region == "" {
		if a.Endpoint == "" {
			return cfg, fmt.Errorf("bucket %q: %w", a.Name, ErrRegion)
		}
		cfg.Region = "us-east-1" // goes into signatures only
	}
	return cfg, nil
}

// ErrRegion is the error of an address that says nothing about the region, where
// the environment does not either.
var ErrRegion = errors.New("no region is set")
