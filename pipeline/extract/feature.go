package extract

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"picket"
)

// Feature is one entry of the catalogue.
//
// In names and meanings, "out" is sent by the entity and "in" is received by it;
// a "peer" is its other side; a "flow" is one conversation, however many records
// it has; the "opener" of a flow is its actor, the one opened to its victim; the
// "service port" is the port opened to and the "client port" the one opened
// from, whoever of them the entity is; a "target" is one peer with one service
// port.
type Feature struct {
	Name    string
	Version int // counts up when the meaning changes under the same name
	Unit    string
	Meaning string
	State   string // what of a window it is computed from
	Sources string // logs that can fill it; elsewhere it is missing
	Moves   string // attacks that move it

	of func(w *window) float64
}

// States.
const (
	fromSums  = "sums"  // adds up over entities: the remainder row has it
	fromShape = "shape" // distinct keys, distributions, largest values, times: the remainder row lacks it
)

// Sources.
const (
	fromAll      = "vpc zeek pcap netflow eve alb ocsf"
	fromPackets  = "pcap"
	fromPayloads = "zeek pcap alb"
	fromActions  = "vpc; netflow and ocsf that say"
	fromFlags    = "vpc with tcp-flags, zeek, pcap, eve, netflow, alb; ocsf of one direction"
	fromTicks    = "all but vpc; vpc where the window is longer than the log's interval"
	fromLong     = "all, in windows of several of the log's intervals"
)

// Schema returns the columns of the features of one kind of entity. Actors and
// victims of flows have the same; see Road for those of login logs.
func Schema(kind picket.Kind) picket.Schema {
	switch kind {
	case picket.KindName:
		return nameSchema()
	case picket.KindPrincipal:
		return AccessSchema()
	case picket.KindActor, picket.KindVictim:
		return flowSchema()
	}
	return picket.Schema{}
}

var flowSchema = sync.OnceValue(func() picket.Schema { return schemaOf(Catalogue) })

func schemaOf(catalogue []Feature) picket.Schema {
	basis := fmt.Sprintf("entities %d\n", DefaultMaxEntities)
	return hashSchema(basis, len(catalogue), func(i int) (string, int) { return catalogue[i].Name, catalogue[i].Version })
}

// hashSchema names the n columns of a catalogue, and hashes their versions with
// what they all rest on.
func hashSchema(basis string, n int, column func(i int) (name string, version int)) picket.Schema {
	hash := sha256.New()
	io.WriteString(hash, basis)
	names := make([]string, n)
	for i := range names {
		name, version := column(i)
		names[i] = name
		fmt.Fprintf(hash, "%s %d\n", name, version)
	}
	return picket.Schema{Names: names, Hash: hex.EncodeToString(hash.Sum(nil)[:8])}
}
