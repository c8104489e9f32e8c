package hosting

import (
	"strings"
	"time"
)

// DiskUsage is what a site takes on the disk, in bytes.
type DiskUsage struct {
	SiteID  SiteID
	Host    Hostname
	Files   int64 // with what was written and removed since it was measured
	Bin     int64 // of that, what was deleted and can be restored
	Entries int64
	// MeasuredAt is nil before the first time.
	MeasuredAt *time.Time
}

// Space is what an account takes on the disk, and how far its plan goes.
type Space struct {
	Used    int64 // bytes, the bins and what was removed included
	Bin     int64
	Trash   int64 // removed sites that can be brought back, with their bins
	Limit   int64 // bytes; negative is no limit
	Stopped bool  // its sites may no longer write
}

// Full reports whether nothing more can be written.
func (s Space) Full() bool { return s.Limit >= 0 && s.Used >= s.Limit }

// Near reports whether little room is left: less than a tenth.
func (s Space) Near() bool { return s.Limit >= 0 && s.Used >= s.Limit-s.Limit/10 }

// Bytes is a limit in megabytes as bytes; Unlimited stays negative.
func Bytes(megabytes int) int64 {
	if megabytes < 0 {
		return Unlimited
	}
	return int64(megabytes) << 20
}

// StopsAt is from how much on an account's sites may no longer write, a
// twentieth beyond its limit: what members upload ends at the limit itself, and
// a site that works should not stop for a file too many.
func (s Space) StopsAt() int64 { return s.Limit + s.Limit/20 }

// BinItem is something in the bin of a site: a file, or a folder with all that
// it held.
type BinItem struct {
	Slot    string    `json:"slot"` // with Path, what names it
	Path    string    `json:"path"` // where it was in the home
	Dir     bool      `json:"dir,omitempty"`
	Size    int64     `json:"size"` // of a file
	Deleted time.Time `json:"deleted"`
}

// ID names it in a form, an address and a command: the slot and the path.
func (b BinItem) ID() string { return b.Slot + "/" + FilePath(b.Path).Ref() }

// ParseBinID reads what ID wrote. Whether there is such a thing is for the bin
// to say.
func ParseBinID(s string) (BinItem, error) {
	slot, ref, _ := strings.Cut(s, "/")
	p, err := ParseFileRef(ref)
	if err != nil || slot == "" || p == "" {
		return BinItem{}, Refuse(NotFound, "", "bin.gone")
	}
	return BinItem{Slot: slot, Path: string(p)}, nil
}

// Bin is a page of what is in the bin of a site.
type Bin struct {
	Items []BinItem `json:"items"`
	Total int       `json:"total"`
	More  bool      `json:"more,omitempty"` // there is even more than is counted
}

// BinRestore asks to bring something back, under the path To.
type BinRestore struct {
	Slot string `json:"slot"`
	Path string `json:"path"`
	To   string `json:"to"`
}

// BinPurge asks to remove some things for good, or all.
type BinPurge struct {
	Items []BinItem `json:"items,omitempty"`
	All   bool      `json:"all,omitempty"`
}

// DatabaseSize is how large a database is and may be, in bytes.
type DatabaseSize struct {
	ID         DatabaseID
	Name       DatabaseName
	Bytes      int64
	Limit      int64 // negative is no limit
	Stopped    bool  // nothing may be added to it
	MeasuredAt *time.Time
}

// Stops reports whether nothing may be added to the database, now that it has
// its size: from the limit on, until it is below nine tenths of it.
func (s DatabaseSize) Stops() bool {
	switch {
	case s.Limit < 0 || s.Bytes < s.Limit-s.Limit/10:
		return false
	case s.Bytes >= s.Limit:
		return true
	}
	return s.Stopped
}
