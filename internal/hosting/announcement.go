package hosting

import (
	"strings"
	"time"
)

// AnnouncementID is the number of an announcement.
type AnnouncementID uint64

// Announcement is what the team tells associations, in French and, if somebody
// wrote it, in English.
type Announcement struct {
	ID        AnnouncementID
	TitleFR   string
	TextFR    string
	TitleEN   string
	TextEN    string
	Everyone  bool       // to all associations, also those that come later
	Mailed    bool       // their owners are written to
	Until     *time.Time // when it goes from the panel; nil is never there
	PersonID  PersonID
	Author    string
	CreatedAt time.Time
	EditedAt  *time.Time
}

// In is what the announcement says in a language.
func (a Announcement) In(language string) (title, text string) {
	if language == "en" && a.TitleEN != "" {
		return a.TitleEN, a.TextEN
	}
	return a.TitleFR, a.TextFR
}

// Shown reports whether it still stands in the panel.
func (a Announcement) Shown(now time.Time) bool { return a.Until != nil && a.Until.After(now) }

// AnnouncementSpec is what somebody announces.
type AnnouncementSpec struct {
	TitleFR, TextFR, TitleEN, TextEN string
	Until                            *time.Time
	Mail                             bool
}

// Parse refuses texts that make no sense: the French ones are needed, the
// English ones both or not at all.
func (s AnnouncementSpec) Parse() (AnnouncementSpec, error) {
	var errs Errors
	var err error
	s.TitleFR, err = ParseSubject("title_fr", s.TitleFR)
	errs.Add(err)
	s.TextFR, err = ParseBody("text_fr", s.TextFR)
	errs.Add(err)
	if strings.TrimSpace(s.TitleEN) == "" && strings.TrimSpace(s.TextEN) == "" {
		s.TitleEN, s.TextEN = "", ""
		return s, errs.Err()
	}
	s.TitleEN, err = ParseSubject("title_en", s.TitleEN)
	errs.Add(err)
	s.TextEN, err = ParseBody("text_en", s.TextEN)
	errs.Add(err)
	return s, errs.Err()
}
