package hosting

import (
	"slices"
	"time"
)

// RequestID is the number of a request.
type RequestID uint64

// RequestState is whose turn it is.
type RequestState string

const (
	RequestOpen     RequestState = "open"     // the team's
	RequestAnswered RequestState = "answered" // the association's
	RequestClosed   RequestState = "closed"   // nobody's
)

// RequestStates are all of them.
var RequestStates = []RequestState{RequestOpen, RequestAnswered, RequestClosed}

// RequestAbouts are what a request may be about, "" for anything.
var RequestAbouts = []string{"", "space", "site", "database", "ftp", "trouble", "membership"}

// Request is something that members ask the team.
type Request struct {
	ID        RequestID
	AccountID AccountID
	Subject   string
	About     string // one of RequestAbouts
	State     RequestState
	CreatedAt time.Time
	ChangedAt time.Time
}

// RequestMessage is one message of a request: text, and nothing else.
type RequestMessage struct {
	ID        uint64
	RequestID RequestID
	PersonID  PersonID
	Author    string // name or address, as it was
	Team      bool   // of the team
	Body      string
	CreatedAt time.Time
}

// RequestSpec is a request to make.
type RequestSpec struct {
	Subject string
	About   string
	Body    string
}

// ParseRequest accepts what was typed for a request.
func ParseRequest(subject, about, body string) (RequestSpec, error) {
	var errs Errors
	var spec RequestSpec
	var err error
	spec.Subject, err = ParseSubject("subject", subject)
	errs.Add(err)
	spec.Body, err = ParseBody("body", body)
	errs.Add(err)
	if spec.About = about; !slices.Contains(RequestAbouts, about) {
		spec.About = ""
	}
	return spec, errs.Err()
}
