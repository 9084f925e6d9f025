package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
)

// Destroyed is what a removal did.
type Destroyed struct {
	Removed []string `json:"removed"`
	Kept    []string `json:"kept"` // and why
}

// Destroy removes an installation: what SageMaker holds of it by its tag, then the
// stacks. The data bucket and its key stay, unless data is true.
func (a *Account) Destroy(ctx context.Context, data bool, report func(Event), told func(what string)) (*Destroyed, error) {
	d := &Destroyed{Kept: []string{}, Removed: []string{}}
	tell := func(what string) { d.Removed = append(d.Removed, what); told(what) }
	st := a.stacks(report)
	base, err := st.describe(ctx, a.BaseStack())
	if err != nil {
		return d, err
	}
	key, there := "", false
	if there, err = a.bucketThere(ctx); err != nil {
		return d, err
	}
	if there {
		if key, err = a.bucketKey(ctx); err != nil {
			return d, err
		}
	}
	if base == nil && !(data && there) {
		return d, Failure{fmt.Errorf("no stack %s in %s", a.BaseStack(), a.Region), "name another with --prefix and --region; with --delete-data a bucket that was kept is deleted too"}
	}
	if err := a.removeModels(ctx, tell); err != nil {
		return d, err
	}
	for _, name := range []string{a.MLStack(), a.BaseStack()} {
		have, err := st.describe(ctx, name)
		if err != nil {
			return d, err
		}
		if have == nil {
			continue
		}
		if err := st.remove(ctx, name); err != nil {
			return d, err
		}
		tell("stack " + name)
	}
	if !there {
		return d, nil
	}
	if !data {
		d.Kept = append(d.Kept, "bucket "+a.DataBucket()+" with all its data (--delete-data deletes it)")
		if key != "" {
			d.Kept = append(d.Kept, "key "+key+", without which the data cannot be read")
		}
		return d, nil
	}
	if err := a.deleteData(ctx); err != nil {
		return d, err
	}
	tell("bucket " + a.DataBucket())
	if key != "" {
		d.Kept = append(d.Kept, "key "+key+": schedule its deletion with \"aws kms schedule-key-deletion\" once nothing needs it")
	}
	return d, nil
}

// ownTag is on everything of SageMaker that is made outside the stacks.
const ownTag = "picket"

// removeModels removes what the deploy-model function made: the endpoint, its
// configurations and models, and the packages of the model group, without which the ml
// stack cannot be deleted. Only what carries this installation's tag is touched.
func (a *Account) removeModels(ctx context.Context, tell func(string)) error {
	if err := a.removeEndpoint(ctx, tell); err != nil {
		return err
	}
	if err := a.removeConfigs(ctx, tell); err != nil {
		return err
	}
	if err := a.removeModelObjects(ctx, tell); err != nil {
		return err
	}
	return a.removePackages(ctx, tell)
}

// ours reports whether a resource of SageMaker carries this installation's tag.
func (a *Account) ours(ctx context.Context, arn *string) (bool, error) {
	ours := false
	err := pages(func(token *string) (*string, error) {
		page, err := a.maker.ListTags(ctx, &sagemaker.ListTagsInput{ResourceArn: arn, NextToken: token})
		if err != nil {
			return nil, explain("read the tags of "+aws.ToString(arn), err)
		}
		for _, t := range page.Tags {
			ours = ours || aws.ToString(t.Key) == ownTag && aws.ToString(t.Value) == a.Prefix
		}
		return page.NextToken, nil
	})
	return ours, err
}

func (a *Account) removeEndpoint(ctx context.Context, tell func(string)) error {
	name := a.Endpoint()
	out, err := a.maker.DescribeEndpoint(ctx, &sagemaker.DescribeEndpointInput{EndpointName: &name})
	if gone(err) {
		return nil
	}
	if err != nil {
		return explain("look at endpoint "+name, err)
	}
	ours, err := a.ours(ctx, out.EndpointArn)
	if err != nil {
		return err
	}
	if !ours {
		return Failure{fmt.Errorf("endpoint %s has no tag %s=%s: not made by picket", name, ownTag, a.Prefix), "remove it yourself if it is not needed, or name another installation with --prefix"}
	}
	if out.EndpointStatus == types.EndpointStatusUpdating || out.EndpointStatus == types.EndpointStatusCreating {
		return Failure{fmt.Errorf("endpoint %s is %s", name, out.EndpointStatus), "wait until it is in service, then run it again"}
	}
	if _, err := a.maker.DeleteEndpoint(ctx, &sagemaker.DeleteEndpointInput{EndpointName: &name}); err != nil && !gone(err) {
		return explain("delete endpoint "+name, err)
	}
	tell("endpoint " + name)
	return nil
}

func (a *Account) removeConfigs(ctx context.Context, tell func(string)) error {
	return pages(func(token *string) (*string, error) {
		page, err := a.maker.ListEndpointConfigs(ctx, &sagemaker.ListEndpointConfigsInput{NameContains: aws.String(a.Prefix + "-"), NextToken: token})
		if unsupported(err) {
			return nil, nil
		}
		if err != nil {
			return nil, explain("list endpoint configurations", err)
		}
		for _, c := range page.EndpointConfigs {
			err := a.removeOurs(ctx, aws.ToString(c.EndpointConfigName), c.EndpointConfigArn, func(name string) error {
				_, err := a.maker.DeleteEndpointConfig(ctx, &sagemaker.DeleteEndpointConfigInput{EndpointConfigName: &name})
				return err
			}, "endpoint configuration", tell)
			if err != nil {
				return nil, err
			}
		}
		return page.NextToken, nil
	})
}

func (a *Account) removeModelObjects(ctx context.Context, tell func(string)) error {
	return pages(func(token *string) (*string, error) {
		page, err := a.maker.ListModels(ctx, &sagemaker.ListModelsInput{NameContains: aws.String(a.Prefix + "-"), NextToken: token})
		if unsupported(err) {
			return nil, nil
		}
		if err != nil {
			return nil, explain("list models", err)
		}
		for _, m := range page.Models {
			err := a.removeOurs(ctx, aws.ToString(m.ModelName), m.ModelArn, func(name string) error {
				_, err := a.maker.DeleteModel(ctx, &sagemaker.DeleteModelInput{ModelName: &name})
				return err
			}, "model", tell)
			if err != nil {
				return nil, err
			}
		}
		return page.NextToken, nil
	})
}

// removeOurs removes something of SageMaker if its name begins with the prefix and it
// carries the tag.
func (a *Account) removeOurs(ctx context.Context, name string, arn *string, remove func(string) error, kind string, tell func(string)) error {
	if !strings.HasPrefix(name, a.Prefix+"-") {
		return nil
	}
	ours, err := a.ours(ctx, arn)
	if err != nil || !ours {
		return err
	}
	if err := remove(name); err != nil && !gone(err) {
		return explain("delete "+kind+" "+name, err)
	}
	tell(kind + " " + name)
	return nil
}

func (a *Account) removePackages(ctx context.Context, tell func(string)) error {
	group := a.ModelGroup()
	return pages(func(token *string) (*string, error) {
		page, err := a.maker.ListModelPackages(ctx, &sagemaker.ListModelPackagesInput{ModelPackageGroupName: &group, NextToken: token})
		if gone(err) {
			return nil, nil
		}
		if err != nil {
			return nil, explain("list model packages", err)
		}
		for _, p := range page.ModelPackageSummaryList {
			if _, err := a.maker.DeleteModelPackage(ctx, &sagemaker.DeleteModelPackageInput{ModelPackageName: p.ModelPackageArn}); err != nil && !gone(err) {
				return nil, explain("delete model package "+aws.ToString(p.ModelPackageArn), err)
			}
			tell("model package " + aws.ToString(p.ModelPackageArn))
		}
		return page.NextToken, nil
	})
}

// gone reports whether SageMaker has no such thing, or is not there at all.
func gone(err error) bool { return notFound(err) || unsupported(err) }

// unsupported reports whether the region, or an emulator, has no SageMaker.
func unsupported(err error) bool {
	var api interface{ ErrorCode() string }
	return errors.As(err, &api) && (api.ErrorCode() == "UnknownOperationException" || api.ErrorCode() == "UnknownError")
}
