package extract

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Rows of every kind are stored in blocks, in parts and in sorted runs alike. A
// block is
//
//	uvarint  rows
//	uvarint  length of the rows
//	uvarint  length of the rows, compressed
//	4 bytes  CRC-32C of the compressed rows
//	the rows, compressed with zstd
//
// A block with no rows ends the stream. Each block stands for itself, so that a
// reader holds one and nothing else.
const (
	blockBytes    = 64 << 10
	maxBlockBytes = 2 * blockBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCorrupt = errors.New("corrupt")

// compressor and decompressor are shared: both are safe for concurrent use in
// the block calls made here.
var compressor = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
})

var decompressor = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBlockBytes))
})

// writeBlock writes rows as one block, by way of packed, which it returns to be
// used again.
func writeBlock(w io.Writer, rows uint64, raw, packed []byte) ([]byte, error) {
	encoder, err := compressor()
	if err != nil {
		return packed, err
	}
	packed = encoder.EncodeAll(raw, packed[:0])
	var head [3*binary.MaxVarintLen64 + 4]byte
	b := binary.AppendUvarint(head[:0], rows)
	b = binary.AppendUvarint(b, uint64(len(raw)))
	b = binary.AppendUvarint(b, uint64(len(packed)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(packed, castagnoli))
	if _, err := w.Write(b); err != nil {
		return packed, err
	}
	_, err = w.Write(packed)
	return packed, err
}

// blockReader reads blocks into memory that it uses again.
type blockReader struct {
	r             *bufio.Reader
	block, packed []byte
}

// next reads the next block; no rows are the end of the stream.
func (r *blockReader) next() (rows uint64, err error) {
	rows, err = binary.ReadUvarint(r.r)
	if rows == 0 || err != nil {
		return 0, err
	}
	rawBytes, err1 := binary.ReadUvarint(r.r)
	packedBytes, err2 := binary.ReadUvarint(r.r)
	var sum [4]byte
	_, err3 := io.ReadFull(r.r, sum[:])
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, err
	}
	if rawBytes > maxBlockBytes || packedBytes > maxBlockBytes || rows > rawBytes {
		return 0, fmt.Errorf("%w block head", errCorrupt)
	}
	return rows, r.unpack(int(packedBytes), int(rawBytes), binary.LittleEndian.Uint32(sum[:]))
}

func (r *blockReader) unpack(packed, raw int, sum uint32) error {
	r.packed = slices.Grow(r.packed[:0], packed)[:packed]
	r.block = slices.Grow(r.block[:0], raw)
	if _, err := io.ReadFull(r.r, r.packed); err != nil {
		return err
	}
	if crc32.Checksum(r.packed, castagnoli) != sum {
		return fmt.Errorf("%w block: checksum", errCorrupt)
	}
	decoder, err := decompressor()
	if err != nil {
		return err
	}
	block, err := decoder.DecodeAll(r.packed, r.block[:0])
	if err != nil || len(block) != raw {
		return fmt.Errorf("%w block: length", errCorrupt)
	}
	r.block = block
	return nil
}
