package simulate

import (
	"fmt"
	"io"
	"time"

	"github.com/parquet-go/parquet-go"
)

// tableWriter writes flow logs as Parquet: an object for each hour in which records
// end, with pages compressed by gzip, under keys as Hive has them.
type tableWriter[T any] struct {
	out  *objects
	row  func(l *line) T
	hour int64
	file io.WriteCloser
	w    *parquet.GenericWriter[T]
}

// tableRows are held before they are written as a row group.
const tableRows = 1 << 15

func flowTable[T any](row func(l *line) T) func(*Script, *network, *objects) encoder {
	return func(_ *Script, _ *network, out *objects) encoder { return &tableWriter[T]{out: out, row: row} }
}

func (t *tableWriter[T]) write(l *line) error {
	if hour := l.End / hourNanos; t.file == nil || hour > t.hour {
		if err := t.finish(); err != nil {
			return err
		}
		at := time.Unix(0, hour*hourNanos).UTC()
		name := fmt.Sprintf("AWSLogs/aws-account-id=%s/aws-service=vpcflowlogs/aws-region=%s/year=%s/month=%s/day=%s/hour=%s/%s_vpcflowlogs_%s_fl-0a1b2c3d4e5f60718_%s_%08x.log.parquet",
			account, region, at.Format("2006"), at.Format("01"), at.Format("02"), at.Format("15"), account, region, at.Add(time.Hour).Format("20060102T1504Z"), uint32(mix(uint64(hour))))
		var err error
		if t.file, err = t.out.create(name); err != nil {
			return err
		}
		t.hour = hour
		t.w = parquet.NewGenericWriter[T](t.file, parquet.Compression(&parquet.Gzip), parquet.MaxRowsPerRowGroup(tableRows), parquet.CreatedBy("parquet-mr", "1.12.3", ""))
	}
	_, err := t.w.Write([]T{t.row(l)})
	return err
}

func (t *tableWriter[T]) finish() error {
	if t.file == nil {
		return nil
	}
	file := t.file
	t.file = nil
	return firstError(t.w.Close(), t.out.close(file))
}

// flowLogRow is a row of a VPC flow log of version 5 in Parquet.
type flowLogRow struct {
	Version         int32   `parquet:"version,optional"`
	AccountID       string  `parquet:"account_id,optional,dict"`
	InterfaceID     string  `parquet:"interface_id,optional,dict"`
	SrcAddr         string  `parquet:"srcaddr,optional,dict"`
	DstAddr         string  `parquet:"dstaddr,optional,dict"`
	SrcPort         *int32  `parquet:"srcport,optional"`
	DstPort         *int32  `parquet:"dstport,optional"`
	Protocol        *int32  `parquet:"protocol,optional"`
	Packets         *int64  `parquet:"packets,optional"`
	Bytes           *int64  `parquet:"bytes,optional"`
	Start           int64   `parquet:"start,optional"`
	End             int64   `parquet:"end,optional"`
	Action          string  `parquet:"action,optional,dict"`
	LogStatus       string  `parquet:"log_status,optional,dict"`
	VPCID           string  `parquet:"vpc_id,optional,dict"`
	InstanceID      *string `parquet:"instance_id,optional"`
	TCPFlags        *int32  `parquet:"tcp_flags,optional"`
	Type            string  `parquet:"type,optional,dict"`
	PktSrcAddr      string  `parquet:"pkt_srcaddr,optional,dict"`
	PktDstAddr      string  `parquet:"pkt_dstaddr,optional,dict"`
	Region          string  `parquet:"region,optional,dict"`
	SublocationType *string `parquet:"sublocation_type,optional"`
}

func ptr[T any](v T) *T { return &v }

func flowRow(l *line) flowLogRow {
	r := flowLogRow{
		Version: 5, AccountID: account, InterfaceID: l.Interface, SrcAddr: l.Src.String(), DstAddr: l.Dst.String(),
		SrcPort: ptr(int32(l.SrcPort)), DstPort: ptr(int32(l.DstPort)), Protocol: ptr(int32(l.Proto)), Packets: ptr(int64(l.SrcPackets)), Bytes: ptr(int64(l.SrcBytes)),
		Start: l.Start / second, End: l.End / second, Action: "ACCEPT", LogStatus: "OK", VPCID: "vpc-0a1b2c3d", TCPFlags: ptr(int32(l.SrcFlags)),
		Type: addressFamily(&l.Record), PktSrcAddr: l.Src.String(), PktDstAddr: l.Dst.String(), Region: region,
	}
	if l.Rejected {
		r.Action = "REJECT"
	}
	return r
}

// gatewayLogRow is a row of a Transit Gateway flow log in Parquet.
type gatewayLogRow struct {
	Version      int32   `parquet:"version,optional"`
	ResourceType string  `parquet:"resource_type,optional,dict"`
	AccountID    string  `parquet:"account_id,optional,dict"`
	GatewayID    string  `parquet:"tgw_id,optional,dict"`
	AttachmentID string  `parquet:"tgw_attachment_id,optional,dict"`
	PairID       *string `parquet:"tgw_pair_attachment_id,optional"`
	SrcAddr      string  `parquet:"srcaddr,optional,dict"`
	DstAddr      string  `parquet:"dstaddr,optional,dict"`
	SrcPort      int32   `parquet:"srcport,optional"`
	DstPort      int32   `parquet:"dstport,optional"`
	Protocol     int64   `parquet:"protocol,optional"`
	Packets      int64   `parquet:"packets,optional"`
	Bytes        int64   `parquet:"bytes,optional"`
	Start        int64   `parquet:"start,optional"`
	End          int64   `parquet:"end,optional"`
	LogStatus    string  `parquet:"log_status,optional,dict"`
	NoRoute      int64   `parquet:"packets_lost_no_route"`
	Blackhole    int64   `parquet:"packets_lost_blackhole"`
	TCPFlags     *int32  `parquet:"tcp_flags,optional"`
}

func gatewayRow(l *line) gatewayLogRow {
	return gatewayLogRow{
		Version: 6, ResourceType: "TransitGateway", AccountID: account, GatewayID: "tgw-0a1b2c3d4e5f60718", AttachmentID: l.Interface,
		SrcAddr: l.Src.String(), DstAddr: l.Dst.String(), SrcPort: int32(l.SrcPort), DstPort: int32(l.DstPort), Protocol: int64(l.Proto),
		Packets: int64(l.SrcPackets), Bytes: int64(l.SrcBytes), Start: l.Start / second, End: l.End / second, LogStatus: "OK",
		Blackhole: int64(lostPackets(l)), TCPFlags: ptr(int32(l.SrcFlags)),
	}
}

// lakeLogRow is a VPC flow log as Security Lake makes OCSF Network Activity of it.
type lakeLogRow struct {
	Metadata struct {
		Product struct {
			Name string `parquet:"name,optional"`
		} `parquet:"product,optional"`
		Version string `parquet:"version,optional"`
	} `parquet:"metadata,optional"`
	ClassUID   int32        `parquet:"class_uid,optional"`
	Time       int64        `parquet:"time,optional"`
	StartTime  int64        `parquet:"start_time,optional"`
	EndTime    int64        `parquet:"end_time,optional"`
	StatusCode string       `parquet:"status_code,optional"`
	ActionID   int32        `parquet:"action_id,optional"`
	Src        lakeEndpoint `parquet:"src_endpoint,optional"`
	Dst        lakeEndpoint `parquet:"dst_endpoint,optional"`
	Connection struct {
		Protocol  int32  `parquet:"protocol_num,optional"`
		TCPFlags  *int32 `parquet:"tcp_flags,optional"`
		Direction int32  `parquet:"direction_id,optional"`
	} `parquet:"connection_info,optional"`
	Traffic struct {
		Packets int64 `parquet:"packets,optional"`
		Bytes   int64 `parquet:"bytes,optional"`
	} `parquet:"traffic,optional"`
	Observables []struct {
		Name  string `parquet:"name,optional"`
		Value string `parquet:"value,optional"`
	} `parquet:"observables,list"`
}

type lakeEndpoint struct {
	IP        string  `parquet:"ip,optional"`
	Port      *int32  `parquet:"port,optional"`
	Interface *string `parquet:"interface_uid,optional"`
}

func lakeRow(l *line) (r lakeLogRow) {
	r.Metadata.Product.Name, r.Metadata.Version = "Amazon VPC", "1.1.0"
	r.ClassUID, r.StatusCode, r.ActionID = 4001, "OK", 1
	if l.Rejected {
		r.ActionID = 2
	}
	r.Time, r.StartTime, r.EndTime = l.Start/1e6, l.Start/1e6, l.End/1e6
	r.Src = lakeEndpoint{IP: l.Src.String(), Port: ptr(int32(l.SrcPort))}
	r.Dst = lakeEndpoint{IP: l.Dst.String(), Port: ptr(int32(l.DstPort))}
	r.Connection.Protocol, r.Connection.Direction = int32(l.Proto), 1
	if l.in { // the interface is that of the side that sent, or that got it
		r.Src.Interface, r.Connection.Direction = ptr(l.Interface), 2
	} else {
		r.Dst.Interface = ptr(l.Interface)
	}
	r.Connection.TCPFlags = ptr(int32(l.SrcFlags))
	r.Traffic.Packets, r.Traffic.Bytes = int64(l.SrcPackets), int64(l.SrcBytes)
	return r
}
