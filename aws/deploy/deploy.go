// Package deploy turns a binary and parameters into a running system in an AWS
// account: it packs the binary, shows what would change and what that costs, applies
// it, tests it, and can say how it is and remove it again.
package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"picket/aws/template"
)

// Deployer makes or upgrades one installation.
type Deployer struct {
	*Account
	Params   template.Params
	Binaries Binaries
	BuiltIn  string // image of AWS's built-in XGBoost in this region, where the endpoint may serve with it
	// Pipeline returns the definition of the training pipeline, for the ml stack; nil
	// leaves that stack out: detection needs none.
	Pipeline func(template.Params) ([]byte, error)
	Report   func(Event)                      // every step of every resource
	Say      func(format string, args ...any) // words about the work

	archive Archive
	image   *Image // nil where nothing runs in a container
}

// Plan is what a deployment would do. Working it out changes nothing but, on an
// upgrade, puts the template into code/ of the data bucket, where CloudFormation reads
// it.
type Plan struct {
	Names
	Caller  string            `json:"caller"`
	New     bool              `json:"new"`
	Scorer  string            `json:"scorer"`
	Arch    string            `json:"architecture"`
	Code    string            `json:"code"`            // key of the functions' zip
	Size    int               `json:"code_bytes"`      // of it
	Image   string            `json:"image,omitempty"` // that SageMaker runs
	Changes []Change          `json:"changes"`
	Costs   template.Cost     `json:"costs"`                  // of a month, for a small site
	Stale   string            `json:"prices_stale,omitempty"` // which prices are not today's, and why
	Doubts  []string          `json:"doubts,omitempty"`       // quotas that are small or unknown
	Given   map[string]string `json:"parameters"`             // of the base stack

	base, ml ChangeSet // of an upgrade
	doubts   []Doubt
}

// Empty reports whether everything is as it shall be.
func (p *Plan) Empty() bool { return !p.New && len(p.Changes) == 0 && p.base.Empty() && p.ml.Empty() }

// Short returns an error if a quota is known to be too small.
func (p *Plan) Short() error { return short(p.doubts) }

// Plan works out what would be done.
func (d *Deployer) Plan(ctx context.Context) (*Plan, error) {
	if err := d.pack(ctx); err != nil {
		return nil, err
	}
	base, err := d.stacks(nil).describe(ctx, d.BaseStack())
	if err != nil {
		return nil, err
	}
	fresh := base == nil || base.StackStatus == "REVIEW_IN_PROGRESS"
	if fresh {
		if err := d.adopt(ctx); err != nil {
			return nil, err
		}
	}
	if err := d.Params.Check(); err != nil {
		return nil, refusal(err)
	}
	p := &Plan{
		Names: d.Names, Caller: d.Caller, New: fresh, Scorer: d.Params.Scorer, Arch: d.Params.Architecture,
		Code: d.Params.CodeKey, Size: len(d.archive.Body), Image: d.Params.ImageUri, Given: d.baseParams(),
		Changes: []Change{},
	}
	doubts, err := d.Quotas(ctx, d.needs())
	if err != nil {
		return nil, err
	}
	p.doubts = doubts
	for _, doubt := range doubts {
		p.Doubts = append(p.Doubts, doubt.String())
	}
	prices, stale := d.Prices(ctx)
	if p.Costs, err = template.Estimate(d.Params, template.SmallSite, prices); err != nil {
		return nil, err
	}
	p.Stale = stale
	if fresh {
		return p, d.planNew(p)
	}
	return p, d.planUpgrade(ctx, p)
}

// refusal turns template's words into ours.
func refusal(err error) error {
	var r *template.Refusal
	if errors.As(err, &r) {
		return Failure{r, r.Try}
	}
	return err
}

// pack makes the zip and, where something runs in a container, the image, and names
// both in the parameters.
func (d *Deployer) pack(ctx context.Context) error {
	binary, err := d.Binaries.Functions(ctx, Arch(d.Params.Architecture))
	if err != nil {
		return err
	}
	if d.archive, err = Zip(binary); err != nil {
		return err
	}
	d.Params.CodeKey = d.archive.Key()
	if d.Params.Scorer == "lambda" && d.Pipeline == nil {
		return nil
	}
	if binary, err = d.Binaries.Container(ctx); err != nil {
		return err
	}
	img, err := NewImage(binary, d.Binaries.Version)
	if err != nil {
		return err
	}
	d.image = &img
	d.Params.ImageUri = d.repository() + ":" + img.Tag
	return nil
}

// repository is where the image goes.
func (d *Deployer) repository() string { return d.registry() + "/" + d.Repository() }

// adopt takes over the bucket that an earlier installation of this name left, with
// the key that its objects need.
func (d *Deployer) adopt(ctx context.Context) error {
	there, err := d.bucketThere(ctx)
	if err != nil || !there {
		return err
	}
	d.Say("bucket %s is there already and is adopted with its data", d.DataBucket())
	if d.Params.KmsKeyArn != "" {
		return nil
	}
	d.Params.KmsKeyArn, err = d.bucketKey(ctx)
	return err
}

// needs are the quotas that this deployment depends on.
func (d *Deployer) needs() []Need {
	// Three functions that a queue feeds run at most a few at a time each; new accounts
	// have ten.
	needs := []Need{{"lambda", concurrency, 10, "the functions must run at the same time"}}
	if d.Params.Scorer == "endpoint" {
		needs = append(needs, Need{"sagemaker", d.Params.EndpointInstanceType + " for endpoint usage", 2, "the endpoint runs there, and a canary needs a second instance"})
	}
	return needs
}

// planNew lists what an empty account gets: there is no bucket yet from which
// CloudFormation could read the whole template, so it is not asked.
func (d *Deployer) planNew(p *Plan) error {
	account := template.Account{Partition: d.Partition, Region: d.Region, ID: d.Account.Account}
	add := func(stack, text string, parameters map[string]string) error {
		items, err := template.Resources(text, account, parameters)
		for _, i := range items {
			p.Changes = append(p.Changes, Change{Stack: stack, Action: "Add", ID: i.ID, Type: i.Type})
		}
		return err
	}
	if err := add(d.BaseStack(), template.Base(), d.baseParams()); err != nil {
		return err
	}
	if d.Pipeline != nil {
		if err := add(d.MLStack(), template.ML(), d.mlParams(d.Params.KmsKeyArn, nil)); err != nil {
			return err
		}
	}
	slices.SortFunc(p.Changes, func(a, b Change) int {
		return strings.Compare(a.Stack+" "+a.Type+" "+a.ID, b.Stack+" "+b.Type+" "+b.ID)
	})
	return nil
}

// planUpgrade asks CloudFormation what would change.
func (d *Deployer) planUpgrade(ctx context.Context, p *Plan) error {
	base, err := d.baseStack(ctx)
	if err != nil {
		return err
	}
	if p.base, err = d.stacks(nil).plan(ctx, base); err != nil {
		return err
	}
	p.Changes = append(p.Changes, p.base.Changes...)
	if d.Pipeline == nil {
		return nil
	}
	ml, err := d.mlStack(ctx)
	if err != nil {
		return err
	}
	if p.ml, err = d.stacks(nil).plan(ctx, ml); err != nil {
		return errors.Join(err, d.stacks(nil).discard(ctx, p.base))
	}
	p.Changes = append(p.Changes, p.ml.Changes...)
	return nil
}

// Discard removes the change sets of a plan that is not carried out.
func (d *Deployer) Discard(ctx context.Context, p *Plan) error {
	return errors.Join(d.stacks(nil).discard(ctx, p.base), d.stacks(nil).discard(ctx, p.ml))
}

// Apply carries a plan out. It may be run again after any failure: what is done is
// not done twice.
func (d *Deployer) Apply(ctx context.Context, p *Plan) error {
	st := d.stacks(d.Report)
	if p.New {
		storage, err := st.plan(ctx, Stack{Name: d.BaseStack(), Body: template.Storage(), Parameters: d.Params.Storage(), Tags: d.tags()})
		if err != nil {
			return err
		}
		d.Say("bucket, key and registry first: code and image lie in them")
		if err := st.apply(ctx, storage); err != nil {
			return err
		}
	}
	if err := d.deliver(ctx); err != nil {
		return err
	}
	if p.New {
		base, err := d.baseStack(ctx)
		if err != nil {
			return err
		}
		if p.base, err = st.plan(ctx, base); err != nil {
			return err
		}
	}
	if err := st.apply(ctx, p.base); err != nil {
		return err
	}
	if d.Pipeline == nil {
		return nil
	}
	if p.ml.stackID == "" {
		ml, err := d.mlStack(ctx)
		if err != nil {
			return err
		}
		if p.ml, err = st.plan(ctx, ml); err != nil {
			return err
		}
	}
	return st.apply(ctx, p.ml)
}

// deliver puts code and image where the functions and SageMaker read them.
func (d *Deployer) deliver(ctx context.Context) error {
	had, err := d.upload(ctx, d.archive.Key(), d.archive.Body)
	if err != nil {
		return err
	}
	d.Say("%s code %.12s (%.1f MB)", done(had, "uploaded"), d.archive.Hash, float64(len(d.archive.Body))/1e6)
	if d.image == nil {
		return nil
	}
	registry, err := ECR(ctx, d.ecr, d.repository())
	if err != nil {
		return err
	}
	if had, err = registry.Push(ctx, *d.image); err != nil {
		return err
	}
	d.Say("%s image %s", done(had, "pushed"), d.image.Tag)
	return nil
}

func done(now bool, what string) string {
	if now {
		return what
	}
	return "already there:"
}

// tags are on both stacks and so on all that they hold.
func (d *Deployer) tags() map[string]string { return map[string]string{ownTag: d.Prefix} }

// baseStack is the base stack as it shall be, its template put where CloudFormation
// reads it.
func (d *Deployer) baseStack(ctx context.Context) (Stack, error) {
	url, err := d.putTemplate(ctx, template.Base())
	return Stack{Name: d.BaseStack(), URL: url, Parameters: d.baseParams(), Tags: d.tags()}, err
}

// mlStack is the ml stack as it shall be, with the key that the base stack made.
func (d *Deployer) mlStack(ctx context.Context) (Stack, error) {
	base, err := d.stacks(nil).describe(ctx, d.BaseStack())
	if err != nil {
		return Stack{}, err
	}
	key := d.Params.KmsKeyArn
	if base != nil {
		for _, o := range base.Outputs {
			if o.OutputKey != nil && *o.OutputKey == "KmsKeyArn" && o.OutputValue != nil {
				key = *o.OutputValue
			}
		}
	}
	params := d.Params
	params.KmsKeyArn = key
	definition, err := d.Pipeline(params)
	if err != nil {
		return Stack{}, fmt.Errorf("pipeline definition: %w", err)
	}
	if _, err := d.upload(ctx, pipelineKey(definition), definition); err != nil {
		return Stack{}, err
	}
	url, err := d.putTemplate(ctx, template.ML())
	return Stack{Name: d.MLStack(), URL: url, Parameters: d.mlParams(key, definition), Tags: d.tags()}, err
}

// baseParams are those of the base stack, whose image is the endpoint's. The pipeline runs
// Picket's own, whatever serves.
func (d *Deployer) baseParams() map[string]string {
	p := d.Params
	if p.EndpointImage == "xgboost" {
		p.ImageUri = d.BuiltIn
	}
	return p.Base()
}

func (d *Deployer) mlParams(key string, definition []byte) map[string]string {
	p := d.Params
	p.KmsKeyArn, p.PipelineKey = key, pipelineKey(definition)
	return p.ML()
}

// pipelineKey names a definition by its content.
func pipelineKey(definition []byte) string {
	sum := sha256.Sum256(definition)
	return codePrefix + "pipeline-" + hex.EncodeToString(sum[:]) + ".json"
}

// putTemplate puts a template, comments and all, into the data bucket and returns its
// URL: it is too long to be sent inline, and so the reviewer sees in the console what
// docs/deploy.md explains.
func (d *Deployer) putTemplate(ctx context.Context, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	key := codePrefix + "template-" + hex.EncodeToString(sum[:]) + ".yaml"
	if _, err := d.upload(ctx, key, []byte(text)); err != nil {
		return "", err
	}
	domain := "amazonaws.com"
	if d.Partition == "aws-cn" {
		domain = "amazonaws.com.cn"
	}
	return fmt.Sprintf("https://s3.%s.%s/%s/%s", d.Region, domain, d.DataBucket(), key), nil
}
