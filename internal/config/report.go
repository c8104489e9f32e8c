package config

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Report is what the last self-check of the installation found. Only root can
// look at the machine; the panel reads what it wrote.
type Report struct {
	At     time.Time `json:"at"`
	Checks []Check   `json:"checks"`
}

// Check is one thing that was looked at. Its remedy is a text of the catalogue,
// so that each reader has it in his own language.
type Check struct {
	Name   string   `json:"name"` // "service.apache"; never changes with the language
	OK     bool     `json:"ok"`
	Detail string   `json:"detail"`
	Remedy string   `json:"remedy,omitempty"`
	Args   []string `json:"args,omitempty"`
}

// Report is where the last self-check is written, and ReportSocket where any
// byte asks for another.
func (l Layout) Report() string       { return l.In("run", "doctor.json") }
func (l Layout) ReportSocket() string { return l.In("run", "doctor.sock") }

// ReadReport reads what the last self-check found.
func ReadReport(l Layout) (Report, error) {
	var r Report
	data, err := os.ReadFile(l.Report())
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("config: %s: %w", l.Report(), err)
	}
	return r, nil
}
