package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"picket/aws/deploy"
	"picket/aws/s3"
	"picket/aws/sagemaker"
	"picket/aws/template"
	"picket/pipeline"
	"picket/pipeline/train"
)

// seedModel makes the package in this binary live where none is or is about to be: a
// new installation finds things on day one. One that is live stays so, whatever this
// binary holds. It returns the id of what it made live, or is making.
//
// With the training pipeline the package becomes version 1 of the model registry and
// goes the way of every later one, through the function deploy-model.
func (a *app) seedModel(ctx context.Context, account *deploy.Account, params template.Params, registry bool) (string, error) {
	bucket := s3.New(s3.NewClient(account.Config(), ""), s3.Options{Name: account.DataBucket()})
	p := pipeline.New(pipeline.Default(), pipeline.Deps{Bucket: bucket, Now: time.Now, Version: version})
	stages, err := p.Stages(ctx)
	if err != nil || stages.Live != "" || stages.Approved != "" {
		return "", err
	}
	file, err := defaultFile()
	if err != nil {
		return "", err
	}
	pkg, err := train.ReadPackage(bytes.NewReader(file))
	if err != nil {
		return "", err
	}
	if !registry {
		return pkg.Model.ID, makeFirst(ctx, p, file)
	}
	d, err := sagemaker.NewDeployer(sagemaker.Endpoint{
		Prefix: account.Prefix, Bucket: account.DataBucket(), Name: account.Endpoint(), Group: account.ModelGroup(),
		Scorer: params.Scorer, Image: params.ImageUri, Role: account.RoleARN("endpoint"),
	}, p, account.Config(), slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	arn, err := d.Register(ctx, file)
	if err != nil {
		return "", err
	}
	return pkg.Model.ID, account.DeployModel(ctx, arn)
}

// makeFirst makes a package live in a registry that has no live one.
func makeFirst(ctx context.Context, p *pipeline.Pipeline, file []byte) error {
	pkg, err := p.PutModelFile(ctx, file)
	if err != nil {
		return err
	}
	t := train.Transition{Time: time.Now().Unix(), By: "picket deploy", Why: "the package in the binary, of the first deployment"}
	_, err = p.ChangeStages(ctx, func(s train.Stages) (train.Stages, error) {
		if s.Live != "" { // somebody was faster
			return s, nil
		}
		if err := s.Register(pkg.Model.ID, t); err != nil {
			return s, err
		}
		if err := s.Approve(pkg.Model.ID, t); err != nil {
			return s, err
		}
		return s, s.Deploy(t)
	})
	if err != nil {
		return fmt.Errorf("make the first model live: %w", err)
	}
	return nil
}

// trainingPipeline is the definition that the ml stack holds.
func (a *app) trainingPipeline(account *deploy.Account) func(template.Params) ([]byte, error) {
	return func(p template.Params) ([]byte, error) {
		o, err := a.exportOptions(exportFlags{
			prefix: account.Prefix, account: account.Names.Account, region: account.Region, image: p.ImageUri,
			kms: p.KmsKeyArn, subnets: p.SubnetIds, groups: p.SecurityGroupIds, seed: 1,
		})
		if err != nil {
			return nil, err
		}
		if p.RawBucket != "" {
			o.RawURI = s3.Scheme + p.RawBucket + "/"
		}
		return sagemaker.Definition(o)
	}
}
