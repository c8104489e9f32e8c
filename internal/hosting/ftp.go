package hosting

import "strconv"

// FTPRights are what a login may do to the files that it reaches.
type FTPRights string

// The rights. The empty one is FTPReadWrite.
const (
	FTPReadWrite  FTPRights = "read_write"
	FTPReadOnly   FTPRights = "read_only"
	FTPUploadOnly FTPRights = "upload_only" // sees names, adds files and folders; neither fetches nor changes what is there
)

// AllFTPRights are the rights in the order of forms.
var AllFTPRights = []FTPRights{FTPReadWrite, FTPReadOnly, FTPUploadOnly}

// ParseFTPRights accepts the name of rights; an empty text is FTPReadWrite.
func ParseFTPRights(s string) (FTPRights, error) {
	switch r := FTPRights(s); r {
	case "":
		return FTPReadWrite, nil
	case FTPReadWrite, FTPReadOnly, FTPUploadOnly:
		return r, nil
	}
	return "", Refuse(Invalid, "rights", "ftp.rights_unknown")
}

// Fetches reports whether the content of files may be read.
func (r FTPRights) Fetches() bool { return r != FTPUploadOnly }

// Adds reports whether new files and folders may be made.
func (r FTPRights) Adds() bool { return r != FTPReadOnly }

// Changes reports whether what is there may be overwritten, renamed or removed.
func (r FTPRights) Changes() bool { return r == FTPReadWrite || r == "" }

// FTPTerms are what a login may do and take, besides what it reaches.
type FTPTerms struct {
	Rights     FTPRights
	RequireTLS bool // whatever the installation says
	SpeedKB    int  // KB/s each way, of all its sessions together; 0 is as the installation says
	Sessions   int  // at a time; 0 is as the installation says
}

// Check refuses terms that make no sense.
func (t FTPTerms) Check() error {
	var errs Errors
	_, err := ParseFTPRights(string(t.Rights))
	errs.Add(err)
	for _, n := range []struct {
		field    string
		is, most int
	}{{"speed_kb", t.SpeedKB, mostSpeed}, {"sessions", t.Sessions, mostSessions}} {
		if n.is < 0 || n.is > n.most {
			errs.Add(Refuse(Invalid, n.field, "ftp.limit_invalid", strconv.Itoa(n.most)))
		}
	}
	return errs.Err()
}

// ParseFTPLimit accepts a limit of a login; an empty text is the
// installation's.
func ParseFTPLimit(field, s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > mostSpeed {
		return 0, Refuse(Invalid, field, "ftp.limit_invalid", strconv.Itoa(mostSpeed))
	}
	return n, nil
}
