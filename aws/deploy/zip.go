package deploy

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"
)

// Archive is the code of the functions as Lambda takes it.
type Archive struct {
	Body []byte
	Hash string // SHA-256 of Body, hex
}

// Key is where the archive lies in the data bucket.
func (a Archive) Key() string { return codePrefix + a.Hash + ".zip" }

// codePrefix is where the data bucket keeps what the functions run. No rule matches it.
const codePrefix = "code/"

// Lambda's limits of an archive: what S3 may hold unzipped, 250 MB.
const maxUnzipped = 250 << 20

// zipTime stands in every archive: the earliest that the format can say, so that the
// same binary gives the same bytes on any day.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Zip packs a binary as the one file of Lambda's custom runtime, "bootstrap". The same
// binary gives the same bytes.
func Zip(path string) (Archive, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return Archive{}, fmt.Errorf("pack %s: %w", path, err)
	}
	if len(body) > maxUnzipped {
		return Archive{}, Failure{fmt.Errorf("pack %s: %d bytes, Lambda takes %d", path, len(body), maxUnzipped), "build it with -ldflags '-s -w'"}
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: zipTime}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return Archive{}, err
	}
	if _, err := w.Write(body); err != nil {
		return Archive{}, err
	}
	if err := z.Close(); err != nil {
		return Archive{}, err
	}
	sum := sha256.Sum256(out.Bytes())
	return Archive{Body: out.Bytes(), Hash: hex.EncodeToString(sum[:])}, nil
}
