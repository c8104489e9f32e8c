package hosting

import "time"

// Dues is how an account stands with its membership, as a list is narrowed to
// it.
type Dues string

const (
	DuesValid Dues = "valid" // the end is still to come
	DuesSoon  Dues = "soon"  // it comes within EndsSoon
	DuesEnded Dues = "ended" // it is past
	DuesOpen  Dues = "open"  // there is none
)

// AllDues are all of them, in the order of the panel's list.
var AllDues = []Dues{DuesValid, DuesSoon, DuesEnded, DuesOpen}

// Renewed is the end of a membership that is renewed for a year: from today on,
// or from its end when that is later. The hour stays that of the end. What ends
// on a leap day ends on the 28th of February.
func Renewed(end, now time.Time) time.Time {
	end, now = end.Local(), now.Local()
	from := end
	if y, m, d := now.Date(); end.Before(now) {
		from = time.Date(y, m, d, end.Hour(), end.Minute(), end.Second(), end.Nanosecond(), time.Local)
	}
	next := from.AddDate(1, 0, 0)
	if next.Month() != from.Month() {
		next = next.AddDate(0, 0, -1)
	}
	return next
}
