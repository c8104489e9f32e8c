package panel

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"cancale/internal/ftpcheck"
	"cancale/internal/hosting"
	"cancale/views"
)

// ftpTarget is our own FTP service, as members know it and as it is reached
// from here.
func (s *server) ftpTarget(r *Request) (ftpcheck.Target, hosting.FTPSettings, error) {
	all, err := s.store.Settings(r.Context())
	if err != nil {
		return ftpcheck.Target{}, all.FTP, err
	}
	server := s.ftpServerOf(all.FTP)
	local := s.conf.FTPAddress
	if local == "" {
		local = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.conf.FTPPort))
	}
	target := ftpcheck.Target{Host: server.Host, Port: server.Port, Local: local, TLS: server.TLS, SFTPPort: s.conf.SFTPPort}
	host, _, err := net.SplitHostPort(local)
	if err != nil {
		return target, all.FTP, fmt.Errorf("panel: address of the FTP service: %w", err)
	}
	target.LocalSFTP = net.JoinHostPort(host, strconv.Itoa(s.conf.SFTPPort))
	for _, key := range s.conf.HostKeys {
		target.HostKeys = append(target.HostKeys, key.Fingerprint)
	}
	return target, all.FTP, nil
}

// askFTPCheck is GET /ftp/:id/check.
func (s *server) askFTPCheck(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	params := views.FTPCheckParams{Login: rowOf(row)}
	return r.page(func(p views.Page) error { return r.Render(views.FTPCheckPage(p, params)) })
}

// checkFTP is POST /ftp/:id/check. The password is looked at here first, as one
// that comes from the person's own address: a wrong one counts where every wrong
// one does, and our own address is never held up.
func (s *server) checkFTP(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	target, _, err := s.ftpTarget(r)
	if err != nil {
		return err
	}
	account := ftpcheck.Account{Login: string(row.Login), Password: r.form.Get("password"), Rights: row.Rights}
	if account.Password != "" {
		_, err := s.store.AuthenticateFTP(r.Context(), account.Login, account.Password, r.Actor.Source)
		refusal, isRefusal := errors.AsType[*hosting.Error](err)
		switch {
		case isRefusal && refusal.Kind == hosting.Unauthenticated:
			account.Refused = new(hosting.Msg("ftpcheck.password_wrong"))
		case isRefusal:
			account.Refused = &refusal.Message
		case err != nil:
			return err
		}
	}
	params := views.FTPCheckParams{Login: rowOf(row), Steps: stepsOf(ftpcheck.Run(r.Context(), target, account))}
	return r.page(func(p views.Page) error { return r.Render(views.FTPCheckPage(p, params)) })
}

func stepsOf(steps []ftpcheck.Step) []views.CheckStep {
	list := make([]views.CheckStep, len(steps))
	for i, step := range steps {
		list[i] = views.CheckStep{Name: step.Name, State: string(step.State), Said: step.Said}
	}
	return list
}

// checkPublicFTP is POST /admin/settings/ftp/check: the settings again, with
// what was found beside them.
func (s *server) checkPublicFTP(r *Request) error {
	target, set, err := s.ftpTarget(r)
	if err != nil {
		return err
	}
	steps := ftpcheck.Public(r.Context(), target, set.PublicAddress, func() (int, string, error) {
		var probe struct {
			Port  int    `json:"port"`
			Token string `json:"token"`
		}
		err := s.link.Call(r.Context(), r.Actor, http.MethodPost, "/ftp/probe", nil, nil, &probe)
		return probe.Port, probe.Token, err
	})
	return s.drawSettingsOf(r, "ftp", views.FTPPublicCheck(r.csrf(), stepsOf(steps)))
}

// besideSettings is what a group has besides its settings.
func besideSettings(r *Request, group string) templ.Component {
	if group == "ftp" {
		return views.FTPPublicCheck(r.csrf(), nil)
	}
	return nil
}

// What FileZilla reads, as it writes it: the numbers are those of its
// ServerProtocol and LogonType.
type (
	fileZilla struct {
		XMLName xml.Name        `xml:"FileZilla3"`
		Version string          `xml:"version,attr"`
		Sites   []fileZillaSite `xml:"Servers>Server"`
	}
	fileZillaSite struct {
		Host      string
		Port      int
		Protocol  int
		Type      int
		User      string
		Logontype int
		PasvMode  string
		Encoding  string `xml:"EncodingType"`
		Name      string
	}
)

const (
	fileZillaFTP   = 0 // TLS where it is offered
	fileZillaSFTP  = 1
	fileZillaFTPES = 4 // TLS or nothing
	fileZillaAsk   = 2 // for the password, which is in no file
)

// fileZillaFile is GET /ftp/:id/filezilla: a file for File → Import, by the
// safest protocol that there is.
func (s *server) fileZillaFile(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	server, err := s.ftpServer(r)
	if err != nil {
		return err
	}
	port, protocol := server.Port, fileZillaFTP
	switch {
	case s.conf.SFTPPort != 0:
		port, protocol = s.conf.SFTPPort, fileZillaSFTP
	case server.TLS:
		protocol = fileZillaFTPES
	}
	return r.xmlFile("filezilla-"+fileName(row.Login)+".xml", "", fileZilla{
		Version: "3.60.0",
		Sites: []fileZillaSite{{
			Host: server.Host, Port: port, Protocol: protocol, User: string(row.Login), Logontype: fileZillaAsk,
			PasvMode: "MODE_PASSIVE", Encoding: "UTF-8", Name: string(row.Login),
		}},
	})
}

// propertyList is Apple's format of a dictionary of texts.
type propertyList struct {
	XMLName xml.Name `xml:"plist"`
	Version string   `xml:"version,attr"`
	Dict    dict     `xml:"dict"`
}

type dict [][2]string

func (d dict) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for _, pair := range d {
		for i, name := range []string{"key", "string"} {
			if err := e.EncodeElement(pair[i], xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
				return err
			}
		}
	}
	return e.EncodeToken(start.End())
}

const propertyListType = `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">` + "\n"

// cyberduckFile is GET /ftp/:id/cyberduck: a bookmark that opens with a double
// click.
func (s *server) cyberduckFile(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	server, err := s.ftpServer(r)
	if err != nil {
		return err
	}
	port, protocol := server.Port, "ftp"
	switch {
	case s.conf.SFTPPort != 0:
		port, protocol = s.conf.SFTPPort, "sftp"
	case server.TLS:
		protocol = "ftps" // its word for AUTH TLS
	}
	return r.xmlFile(fileName(row.Login)+".duck", propertyListType, propertyList{Version: "1.0", Dict: dict{
		{"Protocol", protocol},
		{"Nickname", string(row.Login)},
		{"Hostname", server.Host},
		{"Port", strconv.Itoa(port)},
		{"Username", string(row.Login)},
	}})
}

// fileName is a login in the name of a file, where an @ puzzles some systems.
func fileName(login hosting.FTPName) string {
	name := []byte(login)
	for i, c := range name {
		if c == '@' {
			name[i] = '-'
		}
	}
	return string(name)
}

// xmlFile answers with a file to be kept.
func (r *Request) xmlFile(name, doctype string, v any) error {
	body, err := xml.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("panel: %s: %w", name, err)
	}
	r.varies()
	_, err = r.download(name, "application/xml; charset=utf-8").Write([]byte(xml.Header + doctype + string(body) + "\n"))
	return err
}
