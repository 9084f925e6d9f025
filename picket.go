// Package picket names the things that a network log becomes on its way to a
// finding. It holds the nouns and nothing else: it imports the standard library
// alone, and every other package imports it.
//
//	raw log → Record → Window → Features → Score → Finding
//	                                ↓        ↑
//	                   labels → Dataset → Model
//
// A raw log is an object in a bucket, exactly as somebody uploaded it. A Record
// is one event of it. A Window is the conversations of one entity in one span of
// time, kept as integers that merge exactly. Features are the numbers computed
// from a window, one row. A Dataset is rows with labels, split by time and by
// entity. A Model is a package of boosters. A Score is a probability and its
// reasons. A Finding is what an analyst reads.
//
// Times are UTC. Ranges are half-open: the start is in, the end is out.
package picket

// Prefixes of the bucket. A stage reads one and writes the next.
const (
	RawPrefix        = "raw/"        // what people upload; never changed by Picket
	WindowsPrefix    = "windows/"    // window parts, one object per raw object version and hour
	DuePrefix        = "due/"        // marks: one empty object per part that is not yet closed over
	FeaturesPrefix   = "features/"   // Parquet rows by hour and source
	LabelsPrefix     = "labels/"     // intervals and entities with their class; verdicts
	DatasetsPrefix   = "datasets/"   // immutable snapshots with their manifests
	ModelsPrefix     = "models/"     // model packages and stages.json
	FindingsPrefix   = "findings/"   // OCSF JSON by day
	QuarantinePrefix = "quarantine/" // what could not be read: object, offset, reason, bytes
	RunsPrefix       = "runs/"       // pipeline executions
	HistoryPrefix    = "history/"    // what each entity was seen to do, by UTC day
)
