package extract

import "io"

func writeEmptyFlowPart(w io.Writer, id PartID) error {
	p, err := newPartWriter(w, id, &longInterfaces{})
	if err != nil {
		return err
	}
	return p.finish()
}
