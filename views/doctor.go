package views

import (
	"context"
	"slices"
	"strings"

	"cancale/internal/config"
	"cancale/internal/i18n"
)

// DoctorParams is the last self-check of the installation.
//
//	templ DoctorPage(page Page, p DoctorParams) // GET /admin/doctor
type DoctorParams struct {
	Report config.Report
}

// wrong are the checks that failed.
func (p DoctorParams) wrong() []config.Check {
	var wrong []config.Check
	for _, c := range p.Report.Checks {
		if !c.OK {
			wrong = append(wrong, c)
		}
	}
	return wrong
}

// checkGroup are checks whose names begin alike.
type checkGroup struct {
	name   string
	checks []config.Check
}

// groups are all checks, in the order in which each group is first met.
func (p DoctorParams) groups() []checkGroup {
	var groups []checkGroup
	for _, c := range p.Report.Checks {
		name, _, _ := strings.Cut(c.Name, ".")
		i := slices.IndexFunc(groups, func(g checkGroup) bool { return g.name == name })
		if i < 0 {
			i = len(groups)
			groups = append(groups, checkGroup{name: name})
		}
		groups[i].checks = append(groups[i].checks, c)
	}
	return groups
}

// checkGroupName is what a group of checks looks at.
func checkGroupName(ctx context.Context, name string) string {
	key := "doctor.group." + name
	if text := i18n.T(ctx, key); text != key {
		return text
	}
	return name
}

// checkName is what one check looks at, within its group.
func checkName(ctx context.Context, c config.Check) string {
	group, name, found := strings.Cut(c.Name, ".")
	if !found {
		return checkGroupName(ctx, group)
	}
	return name
}

// wholeCheckName is what one check looks at, wherever it stands.
func wholeCheckName(ctx context.Context, c config.Check) string {
	group, name, found := strings.Cut(c.Name, ".")
	if !found {
		return checkGroupName(ctx, group)
	}
	return checkGroupName(ctx, group) + i18n.T(ctx, "colon") + name
}
