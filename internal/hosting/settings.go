package hosting

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are what the administrators decide for the whole installation. The
// daemons look at them again and again, so that a change needs no restart.
//
// To add one: a field here, its value in DefaultSettings, a row in the table
// settings, and its texts (settings.NAME, settings.NAME_hint). The page, the
// command line and the store follow.
type Settings struct {
	FTP    FTPSettings
	Kept   KeptSettings
	PHP    PHPLimits // the most that a site may choose
	Mail   MailServer
	People PeopleSettings
	Bans   BanSettings
}

// FTPSettings are those of the FTP service.
type FTPSettings struct {
	Host          Hostname   // shown to members; "" is the panel's own name
	PublicAddress netip.Addr // IPv4 that PASV announces to clients from outside; the zero Addr is the one that they reached
	PassiveFirst  int        // ports of data connections
	PassiveLast   int
	Active        Switch // PORT and EPRT

	TLS          TLSPolicy
	RequireReuse bool // data connections must resume the TLS of their session

	Idle  time.Duration // between two commands
	Login time.Duration // from the connection to a successful login
	Data  time.Duration // for a data connection to move on
	Stop  int           // seconds for transfers to end when the service stops

	Sessions          int // at a time
	SessionsPerSource int
	SessionsPerLogin  int
	Speed             int // KB/s of one login, each way; 0 is any
}

// BanSettings say when an address from which wrong passwords come is refused.
type BanSettings struct {
	Failures int           // within an hour; 0 is never
	For      time.Duration // how long then
}

// KeptSettings say how long is remembered what people and visitors do.
type KeptSettings struct {
	TransferDays int // the journal of transfers
	BinDays      int // what members deleted of their files
	RemovedDays  int // removed associations, sites, databases and FTP logins
	LogDays      int // the logs of sites
	AddressDays  int // whole addresses of visitors in them
	StatsMonths  int // what the visitors of sites did, by day
}

// PeopleSettings are about those who sign in.
type PeopleSettings struct {
	TeamFactor bool // administrators and technicians must have a second factor
}

// TLSPolicy says what a service thinks of sessions in clear.
type TLSPolicy string

// The policies.
const (
	TLSDefault  TLSPolicy = "default" // as the daemon was started
	TLSOff      TLSPolicy = "off"
	TLSOffered  TLSPolicy = "offered"
	TLSRequired TLSPolicy = "required" // for the login, and for data
)

// Switch turns something on or off, or leaves it as the daemon was started.
type Switch string

// The positions of a switch.
const (
	SwitchDefault Switch = "default"
	SwitchOff     Switch = "no"
	SwitchOn      Switch = "yes"
)

// Over is the switch as a truth; otherwise is how the daemon was started.
func (s Switch) Over(otherwise bool) bool {
	if s == SwitchDefault || s == "" {
		return otherwise
	}
	return s == SwitchOn
}

// DefaultSettings are those of an installation where nobody has changed any.
// The passive ports lie outside the range from which Linux takes ports for
// outgoing connections.
func DefaultSettings() Settings {
	return Settings{
		FTP: FTPSettings{
			PassiveFirst: 20000, PassiveLast: 20999, Active: SwitchDefault, TLS: TLSDefault,
			Idle: 10 * time.Minute, Login: time.Minute, Data: time.Minute, Stop: 5,
			Sessions: 2000, SessionsPerSource: 40, SessionsPerLogin: 20,
		},
		Kept: KeptSettings{TransferDays: 90, BinDays: 7, RemovedDays: 7, LogDays: 30, AddressDays: 14, StatsMonths: 13},
		Bans: BanSettings{Failures: 40, For: time.Hour},
		PHP:  DefaultPHPLimits,
		Mail: MailServer{Platform: "Cancale", Port: 587, Security: MailSTARTTLS},
	}
}

// SettingKind is how a setting is asked for.
type SettingKind int

// The kinds of settings.
const (
	SettingText SettingKind = iota
	SettingNumber
	SettingChoice
	SettingYes    // yes or no
	SettingSecret // never shown again; kept sealed
)

// Setting is one of Settings, by its name.
type Setting struct {
	Name    string // "ftp.idle_seconds"; the group stands before the dot
	Part    string // of its group, under a heading of its own
	Kind    SettingKind
	Choices []string // of a SettingChoice
	Unit    string   // of a SettingNumber: "seconds", "kb_per_second" or ""
	read    func(*Settings) string
	write   func(*Settings, string) error
}

// Group is what stands before the dot in a setting's name.
func (s Setting) Group() string {
	group, _, _ := strings.Cut(s.Name, ".")
	return group
}

// Text is the value of the setting in all, as Set takes it.
func (s Setting) Text(all Settings) string { return s.read(&all) }

// Shown is Text for people: of a secret nothing but dots.
func (s Setting) Shown(all Settings) string {
	text := s.Text(all)
	if s.Kind == SettingSecret && text != "" {
		return "•••"
	}
	return text
}

// Set parses a value into all. A refusal bears the setting's name as field.
func (s Setting) Set(all *Settings, text string) error {
	return s.write(all, strings.TrimSpace(text))
}

// LongestFTPStop is how many seconds transfers may be given to end. Whoever stops
// the service waits as long, and a little more.
const LongestFTPStop = 60

// Limits of numbers.
const (
	shortestWait = 5
	longestWait  = 24 * 3600
	mostSessions = 100_000
	mostSpeed    = 10_000_000
	longestKept  = 3650        // days
	longestStats = 120         // months
	longestBan   = 7 * 24 * 60 // minutes
	lowestPort   = 1024
	highestPort  = 65535
)

// settings are all of them, in the order of the page.
var settings = []Setting{
	{
		Name: "ftp.host", Part: "address", Kind: SettingText,
		read: func(s *Settings) string { return s.FTP.Host.Unicode() },
		write: func(s *Settings, text string) error {
			if text == "" {
				s.FTP.Host = ""
				return nil
			}
			host, err := ParseHostname(text)
			if err != nil {
				return inSetting("ftp.host", err)
			}
			s.FTP.Host = host
			return nil
		},
	},
	{
		Name: "ftp.public_address", Part: "address", Kind: SettingText,
		read: func(s *Settings) string {
			if !s.FTP.PublicAddress.IsValid() {
				return ""
			}
			return s.FTP.PublicAddress.String()
		},
		write: func(s *Settings, text string) error {
			if text == "" {
				s.FTP.PublicAddress = netip.Addr{}
				return nil
			}
			a, err := netip.ParseAddr(text)
			if err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
				return Refuse(Invalid, "ftp.public_address", "settings.address_invalid")
			}
			s.FTP.PublicAddress = a
			return nil
		},
	},
	numberSetting("ftp.passive_first", "address", "", lowestPort, highestPort, func(s *Settings) *int { return &s.FTP.PassiveFirst }),
	numberSetting("ftp.passive_last", "address", "", lowestPort, highestPort, func(s *Settings) *int { return &s.FTP.PassiveLast }),
	choiceSetting("ftp.active", "address", []Switch{SwitchDefault, SwitchOff, SwitchOn}, func(s *Settings) *Switch { return &s.FTP.Active }),

	choiceSetting("ftp.tls", "encryption", []TLSPolicy{TLSDefault, TLSOff, TLSOffered, TLSRequired}, func(s *Settings) *TLSPolicy { return &s.FTP.TLS }),
	yesSetting("ftp.tls_reuse", "encryption", func(s *Settings) *bool { return &s.FTP.RequireReuse }),

	secondsSetting("ftp.idle_seconds", "limits", func(s *Settings) *time.Duration { return &s.FTP.Idle }),
	secondsSetting("ftp.login_seconds", "limits", func(s *Settings) *time.Duration { return &s.FTP.Login }),
	secondsSetting("ftp.data_seconds", "limits", func(s *Settings) *time.Duration { return &s.FTP.Data }),
	numberSetting("ftp.stop_seconds", "limits", "seconds", 1, LongestFTPStop, func(s *Settings) *int { return &s.FTP.Stop }),
	numberSetting("ftp.sessions", "limits", "", 1, mostSessions, func(s *Settings) *int { return &s.FTP.Sessions }),
	numberSetting("ftp.sessions_per_source", "limits", "", 1, mostSessions, func(s *Settings) *int { return &s.FTP.SessionsPerSource }),
	numberSetting("ftp.sessions_per_login", "limits", "", 1, mostSessions, func(s *Settings) *int { return &s.FTP.SessionsPerLogin }),
	numberSetting("ftp.speed_kb", "limits", "kb_per_second", 0, mostSpeed, func(s *Settings) *int { return &s.FTP.Speed }),

	textSetting("mail.host", "server", parseServerName, func(s *Settings) *string { return &s.Mail.Host }),
	numberSetting("mail.port", "server", "", 1, highestPort, func(s *Settings) *int { return &s.Mail.Port }),
	choiceSetting("mail.security", "server", []MailSecurity{MailSTARTTLS, MailTLS, MailClear}, func(s *Settings) *MailSecurity { return &s.Mail.Security }),
	textSetting("mail.user", "server", ParseLabel, func(s *Settings) *string { return &s.Mail.User }),
	secretSetting("mail.password", "server", func(s *Settings) *string { return &s.Mail.Password }),
	textSetting("mail.platform", "sender", ParseLabel, func(s *Settings) *string { return &s.Mail.Platform }),
	emailSetting("mail.from", "sender", func(s *Settings) *Email { return &s.Mail.From }),
	textSetting("mail.from_name", "sender", ParseLabel, func(s *Settings) *string { return &s.Mail.FromName }),
	emailSetting("mail.reply_to", "sender", func(s *Settings) *Email { return &s.Mail.ReplyTo }),
	numberSetting("bans.failures", "source", "", 0, mostSessions, func(s *Settings) *int { return &s.Bans.Failures }),
	minutesSetting("bans.minutes", "source", func(s *Settings) *time.Duration { return &s.Bans.For }),

	yesSetting("people.team_factor", "team", func(s *Settings) *bool { return &s.People.TeamFactor }),

	numberSetting("kept.bin_days", "deleted", "days", 1, longestKept, func(s *Settings) *int { return &s.Kept.BinDays }),
	numberSetting("kept.removed_days", "deleted", "days", 1, longestKept, func(s *Settings) *int { return &s.Kept.RemovedDays }),
	numberSetting("kept.transfer_days", "journals", "days", 1, longestKept, func(s *Settings) *int { return &s.Kept.TransferDays }),
	numberSetting("kept.log_days", "visits", "days", 1, longestKept, func(s *Settings) *int { return &s.Kept.LogDays }),
	numberSetting("kept.address_days", "visits", "days", 1, longestKept, func(s *Settings) *int { return &s.Kept.AddressDays }),
	numberSetting("kept.stats_months", "visits", "months", 1, longestStats, func(s *Settings) *int { return &s.Kept.StatsMonths }),
	numberSetting("php.memory_mb", "limits", "megabytes", DefaultPHP.MemoryMB, HardPHPLimits.MemoryMB, func(s *Settings) *int { return &s.PHP.MemoryMB }),
	numberSetting("php.upload_mb", "limits", "megabytes", DefaultPHP.UploadMB, HardPHPLimits.UploadMB, func(s *Settings) *int { return &s.PHP.UploadMB }),
	numberSetting("php.seconds", "limits", "seconds", DefaultPHP.Seconds, HardPHPLimits.Seconds, func(s *Settings) *int { return &s.PHP.Seconds }),
}

// AllSettings are all settings, in the order of the page.
func AllSettings() []Setting { return slices.Clone(settings) }

// FindSetting is the setting of a name that a person typed.
func FindSetting(name string) (Setting, error) {
	for _, s := range settings {
		if s.Name == name {
			return s, nil
		}
	}
	return Setting{}, Refuse(NotFound, "name", "settings.unknown", name)
}

func inSetting(name string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Kind: e.Kind, Field: name, Message: e.Message}
	}
	return err
}

func numberSetting(name, part, unit string, least, most int, at func(*Settings) *int) Setting {
	return Setting{
		Name: name, Part: part, Kind: SettingNumber, Unit: unit,
		read: func(s *Settings) string { return strconv.Itoa(*at(s)) },
		write: func(s *Settings, text string) error {
			n, err := parseWithin(name, text, least, most)
			if err == nil {
				*at(s) = n
			}
			return err
		},
	}
}

func parseWithin(field, text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, Refuse(Invalid, field, "settings.number_invalid", strconv.Itoa(least), strconv.Itoa(most))
	}
	return n, nil
}

// textSetting is one line; parse is asked about a text that is not empty.
func textSetting(name, part string, parse func(field, s string) (string, error), at func(*Settings) *string) Setting {
	return Setting{
		Name: name, Part: part, Kind: SettingText,
		read: func(s *Settings) string { return *at(s) },
		write: func(s *Settings, text string) (err error) {
			if text != "" {
				text, err = parse(name, text)
			}
			if err == nil {
				*at(s) = text
			}
			return err
		},
	}
}

func emailSetting(name, part string, at func(*Settings) *Email) Setting {
	return Setting{
		Name: name, Part: part, Kind: SettingText,
		read: func(s *Settings) string { return string(*at(s)) },
		write: func(s *Settings, text string) (err error) {
			var email Email
			if text != "" {
				if email, err = ParseEmail(text); err != nil {
					return inSetting(name, err)
				}
			}
			*at(s) = email
			return nil
		},
	}
}

// maxSecret is the longest secret, in bytes.
const maxSecret = 2000

// secretSetting is something that the store seals: its text is the password
// when somebody has just typed it, and sealed at any other time.
func secretSetting(name, part string, at func(*Settings) *string) Setting {
	return Setting{
		Name: name, Part: part, Kind: SettingSecret,
		read: func(s *Settings) string { return *at(s) },
		write: func(s *Settings, text string) error {
			if len(text) > maxSecret || strings.ContainsFunc(text, isControl) {
				return Refuse(Invalid, name, "label.invalid")
			}
			*at(s) = text
			return nil
		},
	}
}

// secondsSetting is a number in the form, and a length of time here.
func secondsSetting(name, part string, at func(*Settings) *time.Duration) Setting {
	return Setting{
		Name: name, Part: part, Kind: SettingNumber, Unit: "seconds",
		read: func(s *Settings) string { return strconv.Itoa(int(*at(s) / time.Second)) },
		write: func(s *Settings, text string) error {
			n, err := parseWithin(name, text, shortestWait, longestWait)
			if err == nil {
				*at(s) = time.Duration(n) * time.Second
			}
			return err
		},
	}
}

// minutesSetting is a number in the form, and a length of time here.
func minutesSetting(name, part string, at func(*Settings) *time.Duration) Setting {
	return Setting{
		Name: name, Part: part, Kind: SettingNumber, Unit: "minutes",
		read: func(s *Settings) string { return strconv.Itoa(int(*at(s) / time.Minute)) },
		write: func(s *Settings, text string) error {
			n, err := parseWithin(name, text, 1, longestBan)
			if err == nil {
				*at(s) = time.Duration(n) * time.Minute
			}
			return err
		},
	}
}

func choiceSetting[T ~string](name, part string, choices []T, at func(*Settings) *T) Setting {
	c := Setting{Name: name, Part: part, Kind: SettingChoice, read: func(s *Settings) string { return string(*at(s)) }}
	for _, choice := range choices {
		c.Choices = append(c.Choices, string(choice))
	}
	c.write = func(s *Settings, text string) error {
		if !slices.Contains(choices, T(text)) {
			return Refuse(Invalid, name, "settings.choice_invalid", strings.Join(c.Choices, ", "))
		}
		*at(s) = T(text)
		return nil
	}
	return c
}

func yesSetting(name, part string, at func(*Settings) *bool) Setting {
	return Setting{
		Name: name, Part: part, Kind: SettingYes,
		read: func(s *Settings) string {
			if *at(s) {
				return string(SwitchOn)
			}
			return string(SwitchOff)
		},
		write: func(s *Settings, text string) error {
			if text != string(SwitchOn) && text != string(SwitchOff) {
				return Refuse(Invalid, name, "settings.choice_invalid", "yes, no")
			}
			*at(s) = text == string(SwitchOn)
			return nil
		},
	}
}

// Ports that Linux takes for outgoing connections, unless told otherwise
// (net.ipv4.ip_local_port_range). A port that is busy with one of these cannot
// be listened on.
const (
	ephemeralFirst = 32768
	ephemeralLast  = 60999
)

// fewestPassive is how many passive ports there must be: one for each session
// that transfers at the same time.
const fewestPassive = 10

// Check refuses settings that do not go together.
func (s Settings) Check() error {
	var errs Errors
	f := s.FTP
	switch {
	case f.PassiveLast-f.PassiveFirst+1 < fewestPassive:
		errs.Add(Refuse(Invalid, "ftp.passive_last", "settings.passive_few", strconv.Itoa(fewestPassive)))
	case f.PassiveFirst <= ephemeralLast && f.PassiveLast >= ephemeralFirst:
		errs.Add(Refuse(Invalid, "ftp.passive_first", "settings.passive_ephemeral", strconv.Itoa(ephemeralFirst), strconv.Itoa(ephemeralLast)))
	}
	if f.RequireReuse && f.TLS == TLSOff {
		errs.Add(Refuse(Invalid, "ftp.tls_reuse", "settings.reuse_without_tls"))
	}
	if s.Mail.Set() && s.Mail.From == "" {
		errs.Add(Refuse(Invalid, "mail.from", "mail.from_missing"))
	}
	return errs.Err()
}
