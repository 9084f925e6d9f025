package deploy

import (
	_ "embed"
	"strings"
)

// policy is what who deploys must be allowed, with ${AccountId}, ${Region}, ${Prefix}
// and ${Partition} in it. A test deploys with nothing else.
//
//go:embed policy.json
var policy string

// Policy returns the IAM policy that a deployment of this installation needs, its
// upgrades and its removal too.
func (n Names) Policy() string {
	return strings.TrimSpace(strings.NewReplacer("${AccountId}", n.Account, "${Region}", n.Region, "${Prefix}", n.Prefix, "${Partition}", n.Partition).Replace(policy))
}
