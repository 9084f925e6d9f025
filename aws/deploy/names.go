package deploy

import (
	"maps"
	"slices"
)

// Names are what everything of one installation is called: all of it follows from the
// prefix, the account and the region.
type Names struct {
	Prefix    string `json:"prefix"`
	Account   string `json:"account"`
	Region    string `json:"region"`
	Partition string `json:"-"` // aws, aws-cn, aws-us-gov
}

// Verbs of the functions, in the order of the data.
const (
	Ingest      = "ingest"
	Close       = "close"
	Detect      = "detect"
	DeployModel = "deploy-model"
)

// Functions lists the verbs of all functions.
func Functions() []string { return []string{Ingest, Close, Detect, DeployModel} }

// Queues lists the verbs of the functions that a queue feeds.
func Queues() []string { return []string{Ingest, Close, Detect} }

func (n Names) BaseStack() string            { return n.Prefix }
func (n Names) MLStack() string              { return n.Prefix + "-ml" }
func (n Names) Function(verb string) string  { return n.Prefix + "-" + verb }
func (n Names) Queue(verb string) string     { return n.Prefix + "-" + verb }
func (n Names) DeadQueue(verb string) string { return n.Prefix + "-" + verb + "-dead" }
func (n Names) LogGroup(verb string) string  { return "/aws/lambda/" + n.Function(verb) }
func (n Names) DataBucket() string           { return n.Prefix + "-data-" + n.Account + "-" + n.Region }
func (n Names) Endpoint() string             { return n.Prefix }
func (n Names) ModelGroup() string           { return n.Prefix }
func (n Names) Repository() string           { return n.Prefix }

// RoleARN is the role of that name, as the templates call it.
func (n Names) RoleARN(name string) string {
	return "arn:" + n.Partition + ":iam::" + n.Account + ":role/" + n.Prefix + "-" + name
}

// registry is the host of the account's container registry.
func (n Names) registry() string {
	host := n.Account + ".dkr.ecr." + n.Region + ".amazonaws.com"
	if n.Partition == "aws-cn" {
		host += ".cn"
	}
	return host
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
