package hosting

import (
	"errors"
	"strings"
)

// Kind says what sort of refusal an error is; the panel turns it into a status
// code and the command line into an exit status.
type Kind uint8

const (
	Internal        Kind = iota // ours: the cause goes to the log, never to a person
	Invalid                     // the value cannot be used as it is
	Conflict                    // something else already holds that name
	OverLimit                   // the plan allows no more
	NotFound                    // it does not exist, or the actor may not know that it does
	Forbidden                   // the actor may see it but not do this
	Unauthenticated             // nobody is signed in, or the proof is wrong
	Unavailable                 // a service that is needed does not answer
)

var kindNames = [...]string{"internal", "invalid", "conflict", "over_limit", "not_found", "forbidden", "unauthenticated", "unavailable"}

// String is the kind as the command line prints it.
func (k Kind) String() string { return kindNames[k] }

// Message is a text for people that is not yet in a language: the key of a
// catalogue entry and its arguments.
type Message struct {
	Key  string   `json:"key"`
	Args []string `json:"args,omitempty"`
}

// IsZero reports whether there is nothing to say.
func (m Message) IsZero() bool { return m.Key == "" }

// Msg makes a message.
func Msg(key string, args ...string) Message { return Message{Key: key, Args: args} }

// Error is a refusal: its kind, the field of a form that it belongs to (empty
// when it belongs to none) and what to tell the person.
type Error struct {
	Kind    Kind
	Field   string
	Message Message
	Err     error // the cause, for the log
}

// Error is the text for logs.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	if e.Field != "" {
		b.WriteString(" " + e.Field)
	}
	b.WriteString(": " + e.Message.Key)
	if len(e.Message.Args) > 0 {
		b.WriteString(" [" + strings.Join(e.Message.Args, " ") + "]")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refuse makes an error of a kind; field may be empty.
func Refuse(kind Kind, field, key string, args ...string) *Error {
	return &Error{Kind: kind, Field: field, Message: Msg(key, args...)}
}

// KindOf is the kind of the first Error in err's tree, Internal when there is
// none. It must not be asked about nil.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Errors collects every refusal of one form, so that a person learns them all
// at once.
type Errors []*Error

// Error is the text for logs.
func (es Errors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives the errors one by one.
func (es Errors) Unwrap() []error {
	list := make([]error, len(es))
	for i, e := range es {
		list[i] = e
	}
	return list
}

// Add notes err, or all that it collects, when it is not nil. An err that is no
// refusal is kept as an internal error.
func (es *Errors) Add(err error) {
	if err == nil {
		return
	}
	if list, ok := errors.AsType[Errors](err); ok {
		*es = append(*es, list...)
		return
	}
	if e, ok := errors.AsType[*Error](err); ok {
		*es = append(*es, e)
		return
	}
	*es = append(*es, &Error{Kind: Internal, Message: Msg("error.internal"), Err: err})
}

// Err is nil when nothing was added.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

// FieldErrors is what err says, by field; errors without a field are under "".
func FieldErrors(err error) map[string]Message {
	fields := map[string]Message{}
	if es, ok := errors.AsType[Errors](err); ok {
		for _, e := range es {
			if _, seen := fields[e.Field]; !seen {
				fields[e.Field] = e.Message
			}
		}
		return fields
	}
	if e, ok := errors.AsType[*Error](err); ok {
		fields[e.Field] = e.Message
	}
	return fields
}
