package decode

// Reasons for which a line or packet gives no record. The first ten are not
// errors, and do not go to reject.
const (
	reasonNoData    = "no data"            // NODATA: the interface saw no traffic
	reasonNotIP     = "not ip"             // ARP, LLDP, spanning tree
	reasonNoAddress = "no address"         // addresses unset, and no column says why
	reasonNoLogin   = "no login"           // a line of a login log that tells of none
	reasonNoName    = "no name"            // a line of a log of names that has none
	reasonInsight   = "cloudtrail insight" // what CloudTrail makes of events that are elsewhere
	reasonNoFlow    = "alert without its flow"
	reasonNoTraffic = "flow without packets"
	reasonOptions   = "options of the exporter" // sampling rates and the like
	reasonSummary   = "summary"

	reasonLongLine   = "line longer than 1 MiB"
	reasonColumns    = "wrong number of columns"
	reasonTime       = "time out of range"
	reasonBadTime    = "bad time"
	reasonAddress    = "bad address"
	reasonPort       = "bad port"
	reasonProtocol   = "bad protocol"
	reasonNumber     = "bad number"
	reasonInterface  = "bad interface"
	reasonStatus     = "bad log-status"
	reasonAction     = "bad action"
	reasonJSON       = "not a JSON object"
	reasonNoHeader   = "row before any #fields"
	reasonPacket     = "malformed packet"
	reasonShort      = "packet cut before its addresses"
	reasonNoTime     = "packet without a time"
	reasonLinkType   = "link type not read"
	reasonUndefined  = "packet of an undefined interface"
	reasonLongBlock  = "packet longer than 1 MiB"
	reasonSyslog     = "not a line of syslog"
	reasonNoCall     = "event without source and name"
	reasonExport     = "damaged export packet"
	reasonTemplate   = "template not taken"
	reasonNoTemplate = "data without its template"
	reasonClass      = "ocsf class not read"
)

// Reasons for which an object ends early or is not read at all.
const (
	reasonFormat    = "format not recognised"
	reasonBomb      = "unpacks to too much"
	reasonNested    = "compressed more than twice"
	reasonCut       = "cut short"
	reasonDamaged   = "damaged"
	reasonHeader    = "header lacks a column"
	reasonCapture   = "damaged capture"
	reasonSpool     = "too large to be read from its end"
	reasonSeparator = "separator not read"
)
