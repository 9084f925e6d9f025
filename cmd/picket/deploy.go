package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"picket/aws/deploy"
	"picket/aws/sagemaker"
	"picket/aws/template"
)

// where says which installation a command is about.
type where struct{ prefix, region, profile string }

// flags registers the flags on c and all commands below it.
func (w *where) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&w.prefix, "prefix", "picket", "what every name in the account begins with")
	c.PersistentFlags().StringVar(&w.region, "region", "", "AWS region (default: that of the AWS configuration)")
	c.PersistentFlags().StringVar(&w.profile, "profile", "", "profile of the AWS configuration (default: AWS_PROFILE)")
}

// connect asks AWS who the caller is. watch, which may be nil, has the last word on
// the clients' configuration.
func (a *app) connect(ctx context.Context, w where) (*deploy.Account, error) {
	var options []func(*config.LoadOptions) error
	if w.region != "" {
		options = append(options, config.WithRegion(w.region))
	}
	if w.profile != "" {
		options = append(options, config.WithSharedConfigProfile(w.profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, hint(fmt.Errorf("AWS configuration: %w", err), "see ~/.aws/config, or name another --profile")
	}
	if a.watchAWS != nil {
		a.watchAWS(&cfg)
	}
	account, err := deploy.Connect(ctx, cfg, w.prefix)
	return account, tried(err)
}

// tried turns what aws/deploy advises into a hint.
func tried(err error) error {
	var f deploy.Failure
	var r *template.Refusal
	switch {
	case errors.As(err, &f):
		return hint(err, "%s", f.Try)
	case errors.As(err, &r):
		return hint(err, "%s", r.Try)
	}
	return err
}

// deployFlags are what picket deploy is told.
type deployFlags struct {
	where
	scorer, arch, email, rawBucket, binary, output string
	set                                            []string
	yes, dryRun, policy, noTraining, noSmoke, bold bool
}

func (a *app) deployCommand() *cobra.Command {
	var f deployFlags
	c := &cobra.Command{
		Use: "deploy", Short: "Run Picket in your AWS account: make, upgrade, watch, remove",
		Long: `Makes or upgrades the AWS system: packs this binary, shows what would change and
what it costs a month, asks, applies it with live progress, and tests it with a log
whose finding it waits for. Run it again after any failure, and to upgrade: what an
earlier deployment was told is kept unless you say otherwise.

Credentials and region are those of the AWS command line. Parameters beyond the flags
are set with --set NAME=VALUE; "picket template" shows them all.`,
		Example: "  picket deploy --dry-run",
	}
	group(c)
	list := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return list(c, args)
		}
		return a.deploy(c, f)
	}
	f.flags(c)
	c.Flags().StringVar(&f.scorer, "scorer", "", "who scores: lambda (the function itself), endpoint or serverless (SageMaker); default: as before, else lambda")
	c.Flags().StringVar(&f.arch, "arch", "", "processor of the functions: arm64 or x86_64 (default: as before, else this machine's)")
	c.Flags().StringVar(&f.email, "email", "", "address that alarms are sent to")
	c.Flags().StringVar(&f.rawBucket, "raw-bucket", "", "existing bucket whose logs are read (default: raw/ of Picket's own)")
	c.Flags().StringArrayVar(&f.set, "set", nil, "NAME=VALUE of a template's parameter; may be repeated")
	c.Flags().StringVar(&f.binary, "binary", "", "picket binary for the functions (default: this one if it fits, else built with Go)")
	c.Flags().BoolVar(&f.noTraining, "no-training", false, "leave the training pipeline of SageMaker out")
	c.Flags().BoolVar(&f.noSmoke, "no-smoke-test", false, "do not test with a log at the end")
	c.Flags().BoolVar(&f.bold, "ignore-quotas", false, "go on although a quota is too small")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be done and do nothing")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&f.policy, "print-policy", false, "print the IAM policy that a deployment needs, and do nothing")
	c.Flags().StringVarP(&f.output, "output", "o", "table", "table or json")
	c.AddCommand(a.deployStatusCommand(&f.where), a.deployLogsCommand(&f.where), a.deployDestroyCommand(&f.where))
	for _, sub := range c.Commands() {
		sub.SetUsageTemplate(usageTemplate)
	}
	return c
}

// deployment is what -o json prints of a deployment.
type deployment struct {
	Plan    *deploy.Plan  `json:"plan"`
	Applied bool          `json:"applied"`
	Smoke   *deploy.Smoke `json:"smoke_test,omitempty"`
}

func (a *app) deploy(c *cobra.Command, f deployFlags) error {
	if f.output != "table" && f.output != "json" {
		return usageError(hint(fmt.Errorf("output %q", f.output), "use table or json"))
	}
	ctx := c.Context()
	account, err := a.connect(ctx, f.where)
	if f.policy { // known without an account, too: who has none asks for one with it
		names := deploy.Names{Prefix: f.prefix, Account: "ACCOUNT", Region: cmp.Or(f.region, "REGION"), Partition: "aws"}
		if err == nil {
			names = account.Names
		}
		_, err := fmt.Fprintln(a.stdout, names.Policy())
		return err
	}
	if err != nil {
		return err
	}
	d, clean, err := a.deployer(ctx, account, f)
	if err != nil {
		return tried(err)
	}
	defer clean()
	plan, err := d.Plan(ctx)
	if err != nil {
		return tried(err)
	}
	result := deployment{Plan: plan}
	if err := a.carryOut(ctx, d, f, &result); err != nil {
		return tried(err)
	}
	if f.output == "json" {
		return a.printJSON(result)
	}
	return nil
}

// carryOut shows the plan, asks, and applies and tests it.
func (a *app) carryOut(ctx context.Context, d *deploy.Deployer, f deployFlags, result *deployment) error {
	plan := result.Plan
	if f.output == "table" {
		if err := plan.Print(a.stdout); err != nil {
			return err
		}
	}
	if f.dryRun {
		a.say("dry run: nothing was changed")
		return d.Discard(ctx, plan)
	}
	if err := plan.Short(); err != nil && !f.bold {
		return errors.Join(err, d.Discard(ctx, plan))
	}
	if plan.Empty() {
		a.say("nothing changes: the stacks are as they shall be")
	} else if ok, err := a.agreed(f.yes, "Apply this?"); err != nil || !ok {
		return errors.Join(err, d.Discard(ctx, plan))
	}
	if err := d.Apply(ctx, plan); err != nil {
		return err
	}
	id, err := a.seedModel(ctx, d.Account, d.Params, d.Pipeline != nil)
	if err != nil {
		return err
	}
	if id != "" {
		a.say("model: the package in this binary, %.12s, becomes the first live one", id)
		if err := d.AwaitModel(ctx, id); err != nil {
			return err
		}
	} else if d.Pipeline != nil && d.Params.Scorer != sagemaker.ScorerLambda {
		a.say("model: the endpoint serves the live one, with what the parameters say now")
		if err := d.ServeModel(ctx, !plan.Empty()); err != nil {
			return err
		}
	}
	result.Applied = !plan.Empty()
	if f.noSmoke || plan.Empty() {
		return nil
	}
	a.say("smoke test: a port scan goes into raw/, its finding is waited for")
	smoke, err := d.Smoke(ctx, deploy.SmokeLogAt(time.Now().UTC()))
	result.Smoke = &smoke
	if err != nil {
		return err
	}
	a.say("smoke test passed: finding %s after %s", smoke.Finding, smoke.Took.Round(100*time.Millisecond))
	a.say("put logs into s3://%s/raw/ and see findings with: picket findings --data s3://%s", plan.DataBucket(), plan.DataBucket())
	return nil
}

// deployer returns what makes the installation that the flags ask for.
func (a *app) deployer(ctx context.Context, account *deploy.Account, f deployFlags) (*deploy.Deployer, func(), error) {
	params, err := account.Remembered(ctx)
	if err != nil {
		return nil, nil, err
	}
	for name, value := range map[string]string{"Scorer": f.scorer, "Architecture": f.arch, "AlertEmail": f.email, "RawBucket": f.rawBucket} {
		if value != "" {
			if err := params.Set(name, value); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, s := range f.set {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, nil, usageError(hint(fmt.Errorf("--set %s", s), "write --set NAME=VALUE"))
		}
		if err := params.Set(name, value); err != nil {
			return nil, nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	temp, err := os.MkdirTemp("", "picket-deploy-")
	if err != nil {
		return nil, nil, hint(err, "set TMPDIR to a folder that can be written")
	}
	d := &deploy.Deployer{
		Account: account, Params: params,
		Binaries: deploy.Binaries{Self: self, Named: f.binary, TempDir: temp, Version: version},
		Report:   a.reportEvent, Say: a.say,
	}
	if !f.noTraining {
		owner, err := sagemaker.XGBoostAccount(account.Region)
		if err == nil {
			d.BuiltIn, err = sagemaker.XGBoostImage(account.Region)
		}
		if err != nil {
			return nil, nil, hint(err, "choose one of them with --region, or leave training out with --no-training")
		}
		d.Params.XgboostRepositoryArn = "arn:" + account.Partition + ":ecr:" + account.Region + ":" + owner + ":repository/sagemaker-xgboost"
		d.Pipeline = a.trainingPipeline(account)
	}
	return d, func() { os.RemoveAll(temp) }, nil
}

// reportEvent prints one step of one resource.
func (a *app) reportEvent(e deploy.Event) {
	reason := ""
	if e.Reason != "" {
		reason = "  " + oneLine(e.Reason)
	}
	a.say("%s  %-22s %-28s %s%s", e.Time.UTC().Format(time.TimeOnly), e.Status, e.ID, e.Type, reason)
}

// agreed asks a question at the terminal; without one it wants --yes.
func (a *app) agreed(yes bool, question string) (bool, error) {
	if yes {
		return true, nil
	}
	if f, ok := a.stdin.(*os.File); ok && !term.IsTerminal(int(f.Fd())) {
		return false, hint(errors.New("there is nobody to ask"), "say --yes, or --dry-run to look only")
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(a.stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a == "y" || a == "yes" {
		return true, nil
	}
	a.say("nothing was changed")
	return false, nil
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
