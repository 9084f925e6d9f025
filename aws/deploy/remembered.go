package deploy

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"picket/aws/template"
)

// made are the parameters that every deployment works out anew.
var made = map[string]bool{"Prefix": true, "CodeKey": true, "PipelineKey": true, "ImageUri": true}

// Remembered returns the defaults with what earlier deployments of this installation
// chose laid over them: an upgrade says only what shall be different. A parameter that
// is no more is left out. The functions' processor is this machine's until it was
// chosen.
func (a *Account) Remembered(ctx context.Context) (template.Params, error) {
	p := template.Defaults()
	p.Architecture = string(ownArch())
	for _, name := range []string{a.MLStack(), a.BaseStack()} { // base decides
		have, err := a.stacks(nil).describe(ctx, name)
		if err != nil {
			return p, err
		}
		if have == nil {
			continue
		}
		for _, was := range have.Parameters {
			if key := aws.ToString(was.ParameterKey); !made[key] && !(name == a.MLStack() && key == "KmsKeyArn") {
				_ = p.Set(key, aws.ToString(was.ParameterValue)) // of an older template
			}
		}
	}
	p.Prefix = a.Prefix
	return p, nil
}
