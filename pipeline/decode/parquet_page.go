package decode

import (
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	pformat "github.com/parquet-go/parquet-go/format"
)

// Bounds of a page. Writers make pages of about 1 MiB; DuckDB's are a column of
// 122,880 rows.
const (
	maxPageBytes  = 64 << 20
	maxPageValues = 1 << 22
	maxPageHeader = 64 << 10
	// sure is how many bytes compressed by gzip cannot unpack to more than a page.
	sure = maxPageBytes / 1032
)

// checkPages says what is wrong with the pages of a column, before the library
// makes room for what they claim or unpacks them without a bound. Headers are read
// by way of buf.
func checkPages(r io.ReaderAt, size int64, m *pformat.ColumnMetaData, buf []byte) (wrong string) {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	if at < 4 || m.TotalCompressedSize < 0 || at > size || m.TotalCompressedSize > size-at {
		return "pages beyond the file's end"
	}
	for end := at + m.TotalCompressedSize; at < end; {
		h, ok := headerAt(r, at, end, buf)
		if !ok {
			return "a page without its header"
		}
		if at += int64(h.size); h.packed > end-at {
			return "a page beyond its column's end"
		}
		if wrong := checkPage(r, at, &h, m.Codec); wrong != "" {
			return wrong
		}
		at += h.packed
	}
	return ""
}

// headerAt reads the header at an offset; most are short.
func headerAt(r io.ReaderAt, at, end int64, buf []byte) (h pageHeader, ok bool) {
	for _, most := range []int64{256, maxPageHeader} {
		b := buf[:min(most, end-at)]
		if n, err := r.ReadAt(b, at); err != nil && n < len(b) {
			return h, false
		}
		if h, ok = readPageHeader(b); ok {
			return h, true
		}
	}
	return h, false
}

// checkPage says what is wrong with one page, whose bytes stand at an offset.
func checkPage(r io.ReaderAt, at int64, h *pageHeader, codec pformat.CompressionCodec) (wrong string) {
	if h.packed < 0 || h.packed > maxPageBytes || h.unpacked < 0 || h.unpacked > maxPageBytes || h.values < 0 || h.values > maxPageValues ||
		h.levels < 0 || h.levels > h.packed {
		return "a page of too much"
	}
	start, packed := at+h.levels, h.packed-h.levels
	if packed == 0 || h.uncompressed {
		return ""
	}
	body := io.NewSectionReader(r, start, packed)
	limit := h.unpacked - h.levels
	switch codec {
	case pformat.Uncompressed:
		return ""
	case pformat.Snappy:
		var head [16]byte
		n, _ := body.ReadAt(head[:], 0)
		if size, err := snappy.DecodedLen(head[:n]); err != nil || int64(size) > limit {
			return "a page that unpacks to more than it says"
		}
		return ""
	case pformat.Gzip:
		if packed <= sure {
			return ""
		}
		z, err := gzip.NewReader(body)
		if err != nil {
			return "a page that does not unpack"
		}
		return unpacksTo(z, limit)
	case pformat.Zstd:
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return "a page that does not unpack"
		}
		defer z.Close()
		return unpacksTo(z, limit)
	}
	return "compressed in a way that is not read"
}

// unpacksTo reads a compressed page to its end, which must come by the limit.
func unpacksTo(r io.Reader, limit int64) (wrong string) {
	n, err := io.Copy(io.Discard, io.LimitReader(r, limit+1))
	if err != nil {
		return "a page that does not unpack"
	}
	if n > limit {
		return "a page that unpacks to more than it says"
	}
	return ""
}
