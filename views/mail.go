package views

// MailParams is a mail as HTML. It is read by mail programs, which know no
// style sheet of ours.
//
//	templ MailHTML(p MailParams)
type MailParams struct {
	Language string
	Platform string // name of the host
	Subject  string
	Button   string // what the link is called
	Parts    []MailPart
}

// MailPart is a paragraph, or the link of the mail alone.
type MailPart struct {
	Lines []string
	Link  string
}
