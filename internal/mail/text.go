package mail

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views"
)

// Site is what every mail knows of the installation.
type Site struct {
	URL  string // of the panel, as people type it
	Name string // of the host
}

// Letter is a mail in words.
type Letter struct {
	Subject string
	Text    string
	HTML    string
}

// speaking is a context of a language.
func speaking(language string) context.Context {
	return i18n.WithLang(context.Background(), language)
}

// word is the name of a place in a language, as it stands between braces.
func word(ctx context.Context, place string) string { return i18n.T(ctx, "mail.place."+place) }

// Words are the names of the places of a kind in a language.
func Words(kind hosting.MailKind, language string) []string {
	ctx := speaking(language)
	var words []string
	for _, place := range kind.Places() {
		words = append(words, word(ctx, place))
	}
	return words
}

// Default is the text that a kind has from the start.
func Default(kind hosting.MailKind, language string) hosting.MailText {
	ctx := speaking(language)
	var places []any
	for _, place := range kind.Places() {
		places = append(places, "{"+word(ctx, place)+"}")
	}
	return hosting.MailText{
		Kind: kind, Language: language,
		Subject: i18n.T(ctx, "mail."+string(kind)+".subject", places...),
		Body:    i18n.T(ctx, "mail."+string(kind)+".body", places...),
	}
}

// textOf is what a kind says: the words of the administrators, or ours.
func textOf(kind hosting.MailKind, language string, own []hosting.MailText) hosting.MailText {
	for _, t := range own {
		if t.Kind == kind && t.Language == language && t.Body != "" {
			return t
		}
	}
	return Default(kind, language)
}

// needed are the places that a text cannot do without.
func needed(kind hosting.MailKind) []string {
	switch kind {
	case hosting.MailInvitation, hosting.MailTeam, hosting.MailReset:
		return []string{"link"}
	case hosting.MailRequest, hosting.MailAnswer, hosting.MailAnnouncement:
		return []string{"text"}
	}
	return nil
}

// Check reads a text that an administrator wrote, and refuses one whose places
// are not those of its kind.
func Check(text hosting.MailText) (hosting.MailText, error) {
	var errs hosting.Errors
	var err error
	text.Subject, err = hosting.ParseSubject("subject", text.Subject)
	errs.Add(err)
	text.Body, err = hosting.ParseBody("body", text.Body)
	errs.Add(err)
	if err := errs.Err(); err != nil {
		return text, err
	}
	ctx := speaking(text.Language)
	words := Words(text.Kind, text.Language)
	found := map[string]bool{}
	for field, s := range map[string]string{"subject": text.Subject, "body": text.Body} {
		_, err := fill(s, func(name string) (string, error) {
			if !slices.Contains(words, name) {
				return "", hosting.Refuse(hosting.Invalid, field, "mail.text_unknown_place", name, braced(words))
			}
			if field == "body" {
				found[name] = true
			}
			return "", nil
		})
		if err != nil && hosting.KindOf(err) == hosting.Internal {
			err = hosting.Refuse(hosting.Invalid, field, "mail.text_brace")
		}
		errs.Add(err)
	}
	for _, place := range needed(text.Kind) {
		if w := word(ctx, place); !found[w] && len(errs) == 0 {
			errs.Add(hosting.Refuse(hosting.Invalid, "body", "mail.text_missing_place", "{"+w+"}"))
		}
	}
	return text, errs.Err()
}

func braced(words []string) string { return "{" + strings.Join(words, "}, {") + "}" }

// fill puts what value says in the place of each {name}. What it says is not
// looked at again.
func fill(text string, value func(name string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(text, "{")
		if strings.Contains(before, "}") {
			return "", fmt.Errorf("mail: a brace that was not opened in %q", text)
		}
		b.WriteString(before)
		if !open {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("mail: a brace that is not closed in %q", text)
		}
		s, err := value(name)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
		text = after
	}
}

// Render puts a mail into words. Its secret link is left out when struck: of
// what is kept after it was sent.
func Render(m hosting.Mail, own []hosting.MailText, site Site, struck bool) (Letter, error) {
	ctx := speaking(m.Language)
	text := textOf(m.Kind, i18n.Lang(ctx), own)
	values := map[string]string{}
	for _, place := range m.Kind.Places() {
		values[word(ctx, place)] = valueOf(ctx, place, m, site, struck)
	}
	value := func(name string) (string, error) { return values[name], nil } //nolint:unparam // as fill asks
	subject, err := fill(text.Subject, value)
	if err != nil {
		return Letter{}, err
	}
	page := views.MailParams{Language: i18n.Lang(ctx), Platform: site.Name, Button: i18n.T(ctx, "mail.button."+string(m.Kind))}
	link := word(ctx, "link")
	var plain []string
	for part := range strings.SplitSeq(text.Body, "\n\n") {
		part = strings.TrimSpace(part)
		filled, err := fill(part, value)
		if err != nil {
			return Letter{}, err
		}
		if filled = strings.TrimSpace(filled); filled == "" {
			continue
		}
		plain = append(plain, filled)
		if part == "{"+link+"}" && !struck {
			page.Parts = append(page.Parts, views.MailPart{Link: filled})
			continue
		}
		for p := range strings.SplitSeq(filled, "\n\n") {
			page.Parts = append(page.Parts, views.MailPart{Lines: strings.Split(p, "\n")})
		}
	}
	footer := i18n.T(ctx, "mail.footer", site.Name)
	letter := Letter{Subject: oneLine(subject), Text: strings.Join(plain, "\n\n") + "\n\n-- \n" + footer + "\n"}
	page.Subject = letter.Subject
	var html bytes.Buffer
	if err := views.MailHTML(page).Render(ctx, &html); err != nil {
		return Letter{}, fmt.Errorf("mail: %w", err)
	}
	letter.HTML = html.String()
	return letter, nil
}

// valueOf is what a place holds, in words.
func valueOf(ctx context.Context, place string, m hosting.Mail, site Site, struck bool) string {
	value := m.Args[place]
	switch place {
	case "name":
		if m.Name == "" {
			return string(m.Email)
		}
		return m.Name
	case "platform":
		return site.Name
	case "link":
		if struck && m.Kind.Secret() {
			return i18n.T(ctx, "mail.link_struck")
		}
		return strings.TrimSuffix(site.URL, "/") + m.Link
	case "role":
		return i18n.T(ctx, "role."+value)
	case "what":
		return i18n.T(ctx, "mail.what."+value)
	case "agent":
		return views.AgentName(ctx, value)
	case "act":
		return i18n.T(ctx, "mail.act."+value)
	case "until", "at", "day":
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return value
		}
		if place == "day" {
			return i18n.Date(ctx, at)
		}
		return i18n.DateTime(ctx, at)
	}
	return value
}

// oneLine leaves nothing in a header that would end it.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// Test is the letter by which a mail server is tried.
func Test(m hosting.Mail, site Site) Letter {
	ctx := speaking(m.Language)
	text := i18n.T(ctx, "mail.test_body", site.Name)
	page := views.MailParams{Language: i18n.Lang(ctx), Platform: site.Name, Subject: i18n.T(ctx, "mail.test_subject", site.Name), Parts: []views.MailPart{{Lines: []string{text}}}}
	var html bytes.Buffer
	_ = views.MailHTML(page).Render(ctx, &html) // into memory
	return Letter{Subject: page.Subject, Text: text + "\n", HTML: html.String()}
}
