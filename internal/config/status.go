package config

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Status is what a private installation says of itself in Layout.Status().
// `up` writes it, anew at each change; the command line reads it.
type Status struct {
	Ready        bool      `json:"ready"` // every service has answered a probe
	PID          int       `json:"pid"`   // of `up`
	PanelURL     string    `json:"panel_url"`
	HTTPPort     int       `json:"http_port"`
	HTTPSPort    int       `json:"https_port"`
	FTPPort      int       `json:"ftp_port"`
	FTPSPort     int       `json:"ftps_port"` // FTP that begins with TLS
	SFTPPort     int       `json:"sftp_port"`
	SFTPHostKeys []HostKey `json:"sftp_host_keys"`
	MySQLSocket  string    `json:"mysql_socket"` // as seen from outside the installation
	Data         string    `json:"data"`
	Services     []Service `json:"services"`
}

// HostKey is what the SFTP service proves itself with.
type HostKey struct {
	Type        string `json:"type"`        // "ssh-ed25519"
	Fingerprint string `json:"fingerprint"` // "SHA256:…", as programs show it at the first connection
}

// Service is one daemon of the installation.
type Service struct {
	Name  string    `json:"name"`
	State string    `json:"state"` // running, starting, stopped or failed
	PID   int       `json:"pid"`
	Since time.Time `json:"since,omitzero"` // running since then
}

// ReadStatus reads what `up` wrote last. Whether `up` still lives is not its
// question.
func ReadStatus(l Layout) (Status, error) {
	var s Status
	data, err := os.ReadFile(l.Status())
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("config: %s: %w", l.Status(), err)
	}
	return s, nil
}
