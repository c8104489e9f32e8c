package panel

import (
	"strconv"

	"cancale/internal/hosting"
	"cancale/views"
)

// showProfile is GET /profile.
func (s *server) showProfile(r *Request) error {
	form := views.ProfileForm{Name: r.Session.Person.Name, Email: string(r.Session.Person.Email)}
	r.into(&form)
	return s.drawProfile(r, form, views.PasswordForm{})
}

func (s *server) drawProfile(r *Request, form views.ProfileForm, password views.PasswordForm) error {
	devices, err := s.store.Devices(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	params := views.ProfileParams{Form: form, Password: password}
	for _, d := range devices {
		row := views.SessionRow{ID: strconv.FormatUint(d.ID, 10), Agent: d.Agent, Source: d.Source, LastSeen: d.SeenAt}
		if d.ID == r.Session.ID {
			row.Current, row.Agent = true, r.echo.Request().UserAgent()
			params.Sessions = append([]views.SessionRow{row}, params.Sessions...)
			continue
		}
		params.Sessions = append(params.Sessions, row)
	}
	answer := r.Render
	if len(form.Errors) > 0 || len(password.Errors) > 0 {
		answer = r.Invalid
	}
	return r.page(func(p views.Page) error { return answer(views.ProfilePage(p, params)) })
}

// updateProfile is POST /profile.
func (s *server) updateProfile(r *Request) error {
	var form views.ProfileForm
	r.into(&form)
	var errs hosting.Errors
	name, err := hosting.ParseLabel("name", form.Name)
	errs.Add(err)
	email, err := hosting.ParseEmail(form.Email)
	errs.Add(err)
	if err = errs.Err(); err == nil {
		err = s.store.UpdateProfile(r.Context(), r.Actor, name, email, form.Password)
	}
	form.Password = ""
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawProfile(r, form, views.PasswordForm{})
	}
	if err != nil {
		return err
	}
	r.Flash("profile.updated")
	return r.Redirect("/profile")
}

// changePassword is POST /profile/password. Other sessions of the person end.
func (s *server) changePassword(r *Request) error {
	var form views.PasswordForm
	r.into(&form)
	err := s.store.ChangePassword(r.Context(), r.Actor, form.Old, form.New, r.Session)
	if messages, ok := refused(err); ok {
		if wrong, found := messages["old_password"]; found { // as the store calls the field
			delete(messages, "old_password")
			messages["old"] = wrong
		}
		profile := views.ProfileForm{Name: r.Session.Person.Name, Email: string(r.Session.Person.Email)}
		return s.drawProfile(r, profile, views.PasswordForm{Errors: messages})
	}
	if err != nil {
		return err
	}
	r.Flash("password.changed")
	return r.Redirect("/profile")
}

// endSessions is POST /profile/sessions: one device, or all others.
func (s *server) endSessions(r *Request) error {
	which := r.form.Get("session")
	if which == "others" {
		if err := s.store.EndOtherDevices(r.Context(), r.Session); err != nil {
			return err
		}
		r.Flash("session.others_ended")
		return r.Redirect("/profile")
	}
	id, _ := strconv.ParseUint(which, 10, 64) // what is no number names no session
	if err := s.store.EndDevice(r.Context(), r.Actor, id); err != nil {
		return err
	}
	if id == r.Session.ID {
		r.setCookie(sessionCookie, "", -1)
		return r.Redirect("/signin")
	}
	r.Flash("session.ended")
	return r.Redirect("/profile")
}
