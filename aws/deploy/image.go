package deploy

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Image is the container of SageMaker's Processing and endpoint: the binary and an
// empty /tmp, nothing else, so there is nothing else to patch.
type Image struct {
	v1.Image
	Tag string // 16 hex digits of the digest
}

// NewImage makes the container image of a binary for linux/amd64. The same binary
// gives the same digest.
func NewImage(binary, version string) (Image, error) {
	layer, err := imageLayer(binary)
	if err != nil {
		return Image{}, fmt.Errorf("image of %s: %w", binary, err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return Image{}, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config.Entrypoint = []string{"/picket"}
	config.Config.WorkingDir = "/"
	config.Config.Labels = map[string]string{"org.opencontainers.image.title": "picket", "org.opencontainers.image.version": version}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return Image{}, err
	}
	digest, err := img.Digest()
	if err != nil {
		return Image{}, err
	}
	return Image{img, digest.Hex[:16]}, nil
}

// imageLayer is a tar of /picket and /tmp with no time and no owner in it.
func imageLayer(binary string) (v1.Layer, error) {
	body, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	epoch := time.Unix(0, 0)
	for _, h := range []*tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777, ModTime: epoch},
		{Name: "picket", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(body)), ModTime: epoch},
	} {
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := t.Write(body); err != nil {
				return nil, err
			}
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil })
}

// Registry is a container registry that an image can be pushed to.
type Registry struct {
	Repository string // 123456789012.dkr.ecr.eu-west-1.amazonaws.com/picket
	Auth       authn.Authenticator
	Insecure   bool // http: for the registry of a test on loopback
}

// ECR returns the registry with a password that holds for twelve hours.
func ECR(ctx context.Context, client *ecr.Client, repository string) (Registry, error) {
	out, err := client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return Registry{}, explain("log in to the container registry", err)
	}
	if len(out.AuthorizationData) == 0 || out.AuthorizationData[0].AuthorizationToken == nil {
		return Registry{}, errors.New("log in to the container registry: no token in the answer")
	}
	token, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		return Registry{}, errors.New("log in to the container registry: the token is not base64")
	}
	user, password, ok := strings.Cut(string(token), ":")
	if !ok {
		return Registry{}, errors.New("log in to the container registry: the token has no password")
	}
	r := Registry{Repository: repository, Auth: &authn.Basic{Username: user, Password: password}}
	// Where it is reached: on AWS the host of the repository itself.
	if at, err := url.Parse(aws.ToString(out.AuthorizationData[0].ProxyEndpoint)); err == nil && at.Host != "" {
		_, path, _ := strings.Cut(repository, "/")
		r.Repository, r.Insecure = at.Host+"/"+path, at.Scheme == "http"
	}
	return r, nil
}

// Reference is what SageMaker is told to run.
func (r Registry) Reference(img Image) string { return r.Repository + ":" + img.Tag }

// Push puts the image where it is not there yet, and reports whether it had to.
func (r Registry) Push(ctx context.Context, img Image) (bool, error) {
	var options []name.Option
	if r.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.NewTag(r.Reference(img), options...)
	if err != nil {
		return false, fmt.Errorf("image name: %w", err)
	}
	remotes := []remote.Option{remote.WithContext(ctx), remote.WithAuth(r.Auth)}
	_, err = remote.Head(ref, remotes...)
	if err == nil {
		return false, nil
	}
	var answer *transport.Error
	if !errors.As(err, &answer) || answer.StatusCode != http.StatusNotFound {
		return false, explain("look for image "+ref.String(), err)
	}
	if err := remote.Write(ref, img, remotes...); err != nil {
		return false, explain("push image "+ref.String(), err)
	}
	return true, nil
}
