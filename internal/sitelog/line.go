package sitelog

import (
	"bytes"
	"regexp"
	"strings"
	"time"

	"cancale/internal/config"
)

// Line is a line of a log as people read it. What could not be understood is in
// Text as it stands.
type Line struct {
	At   time.Time // zero when the line does not say
	Text string

	// Of what visitors asked for.
	Status                   int // 0 in other logs
	Method, Path             string
	Address, Referrer, Agent string
	Bytes                    int64
	Took                     time.Duration

	// Of errors: "error", "warn" and the like.
	Level string
}

const (
	accessTime = "02/Jan/2006:15:04:05 -0700"
	errorTime  = "2006-01-02 15:04:05.999999"
)

// ParseAccess reads a line of an access log. Its time is the one that Apache
// wrote, which stands right before the request, whatever the visitor's name.
func ParseAccess(line []byte) Line {
	r, ok := parseRequest(line)
	begin := bytes.Index(line, []byte(`] "`))
	if !ok || begin < len(accessTime) {
		return Line{Text: string(line)}
	}
	l := Line{
		Status: r.status, Method: string(r.method), Address: string(r.address), Bytes: r.bytes, Took: r.took,
		Referrer: known(r.referrer), Agent: known(r.agent),
	}
	l.At, _ = time.Parse(accessTime, string(line[begin-len(accessTime):begin]))
	what, _, _ := quoted(line[begin+2:])
	l.Text = string(what)
	if method, rest, ok := bytes.Cut(what, []byte{' '}); ok {
		path, _, _ := bytes.Cut(rest, []byte{' '})
		l.Method, l.Path = string(method), string(path)
	}
	return l
}

func known(text []byte) string {
	if string(text) == "-" {
		return ""
	}
	return string(text)
}

// Of a line of the error log: [time] [module:level] [pid 1] text.
var (
	errorLine = regexp.MustCompile(`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\] \[([a-z0-9_]*):([a-z0-9]+)\] (?:\[pid [^\]]*\] )?(.*)$`)
	clientIs  = regexp.MustCompile(`\[client ([^ ]*)\] `)
	phpLine   = regexp.MustCompile(`^\[(\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d) ([A-Za-z0-9_/+:-]+)\] (?:PHP )?((Warning|Notice|Deprecated|Fatal error|Parse error|Recoverable fatal error|Core warning|Core error|Compile error|Compile warning|Strict Standards|Uncaught)?.*)$`)
)

// ParseError reads a line of Apache's error log.
func ParseError(line []byte) Line {
	m := errorLine.FindSubmatch(line)
	if m == nil {
		return Line{Text: string(line), Level: "error"}
	}
	l := Line{Level: string(m[3]), Text: string(m[4])}
	l.At, _ = time.ParseInLocation(errorTime, string(m[1]), time.Local)
	if at := clientIs.FindStringSubmatchIndex(l.Text); at != nil {
		l.Address = l.Text[at[2]:at[3]]
		l.Text = l.Text[:at[0]] + l.Text[at[1]:]
	}
	return l
}

// ParsePHP reads a line of the log of PHP's errors; those of a trace that
// follow one have no time.
func ParsePHP(line []byte) Line {
	m := phpLine.FindSubmatch(line)
	if m == nil {
		return Line{Text: string(line)}
	}
	l := Line{Text: string(m[3]), Level: "error"}
	zone, err := time.LoadLocation(string(m[2]))
	if err != nil {
		zone = time.UTC
	}
	l.At, _ = time.ParseInLocation("02-Jan-2006 15:04:05", string(m[1]), zone)
	switch string(m[4]) {
	case "Warning", "Notice", "Deprecated", "Core warning", "Compile warning", "Strict Standards":
		l.Level = "warn"
	}
	return l
}

// Relative is a text without the paths of the server: those of the site's own
// files begin in its home, others end in their last name.
func Relative(layout config.Layout, text string) string {
	text = strings.ReplaceAll(text, config.SiteHome+"/", "")
	text = strings.ReplaceAll(text, config.SiteHome, "/")
	return strings.ReplaceAll(text, layout.Root+"/", "…/")
}
