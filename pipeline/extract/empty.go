package extract

import "io"

// WriteEmptyPart writes a part without rows: what the newest version of a raw
// object says of an hour that only older versions speak of.
func WriteEmptyPart(w io.Writer, id PartID) error {
	p, err := newPartWriter(w, id, &longInterfaces{})
	if err != nil {
		return err
	}
	return p.finish()
}
