package sagemaker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
)

// Registry is SageMaker's side of a deployment's registry, as a person works it: they
// approve packages, and ask deploy-model for the rest.
type Registry struct {
	Group string // of model packages
	API   *sagemaker.Client
	// Ask hands an event to deploy-model. A client of Lambda's own would be a part of
	// every function, which all hold this package: 0.13 MB of their zip.
	Ask func(ctx context.Context, event map[string]any) error
}

// NewRegistry returns the registry of the deployment of a prefix.
func NewRegistry(prefix string, cfg aws.Config, ask func(ctx context.Context, event map[string]any) error) *Registry {
	return &Registry{Group: prefix, API: sagemaker.NewFromConfig(cfg), Ask: ask}
}

// ErrNoPackage is the error where the registry has no package that was asked for.
var ErrNoPackage = errors.New("no such model package")

// Exists reports whether the account has such a registry; a deployment that scores in
// its function has none.
func (r *Registry) Exists(ctx context.Context) (bool, error) {
	_, err := r.API.DescribeModelPackageGroup(ctx, &sagemaker.DescribeModelPackageGroupInput{ModelPackageGroupName: &r.Group})
	if says(err, "does not exist", "could not find") {
		return false, nil
	}
	return err == nil, err
}

// Approve approves the newest package that waits for it, or the one whose id begins so,
// and returns its ARN. The event of it makes deploy-model deploy it.
func (r *Registry) Approve(ctx context.Context, id string) (string, error) {
	arn, err := r.find(ctx, types.ModelApprovalStatusPendingManualApproval, id)
	if err != nil {
		return "", fmt.Errorf("approve: %w", err)
	}
	_, err = r.API.UpdateModelPackage(ctx, &sagemaker.UpdateModelPackageInput{ModelPackageArn: &arn, ModelApprovalStatus: types.ModelApprovalStatusApproved})
	return arn, err
}

// Deploy asks deploy-model for the newest approved package.
func (r *Registry) Deploy(ctx context.Context) error {
	arn, err := r.find(ctx, types.ModelApprovalStatusApproved, "")
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	return r.Ask(ctx, map[string]any{"ModelPackageArn": arn})
}

// Rollback asks deploy-model for the package that was live before.
func (r *Registry) Rollback(ctx context.Context) error {
	return r.Ask(ctx, map[string]any{"Rollback": true})
}

// find returns the newest package of a status whose id begins so.
func (r *Registry) find(ctx context.Context, status types.ModelApprovalStatus, id string) (string, error) {
	pages := sagemaker.NewListModelPackagesPaginator(r.API, &sagemaker.ListModelPackagesInput{
		ModelPackageGroupName: &r.Group, ModelApprovalStatus: status, SortBy: types.ModelPackageSortByCreationTime, SortOrder: types.SortOrderDescending,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, p := range page.ModelPackageSummaryList {
			if id == "" {
				return aws.ToString(p.ModelPackageArn), nil
			}
			full, err := r.API.DescribeModelPackage(ctx, &sagemaker.DescribeModelPackageInput{ModelPackageName: p.ModelPackageArn})
			if err != nil {
				return "", err
			}
			if strings.HasPrefix(full.CustomerMetadataProperties[MetaModel], id) {
				return aws.ToString(p.ModelPackageArn), nil
			}
		}
	}
	return "", fmt.Errorf("group %s has no package %sthat is %s: %w", r.Group, idWord(id), status, ErrNoPackage)
}

func idWord(id string) string {
	if id == "" {
		return ""
	}
	return id + " "
}
