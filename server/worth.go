package server

import "context"

// prospect is what calling the users of a snapshot is expected to bring.
type prospect struct {
	Worth
	Leavers  float64 // users who leave if nobody does anything
	AtStake  float64 // what they are worth
	Calls    int     // the first so many users are worth a call, and can be called
	Kept     float64 // leavers whom these calls keep
	Gain     float64 // what that brings, less the calls
	LeastOf  float64 // risk from which a call pays for itself
	LastRisk float64 // of the last user called
}

// prospectOf is a prospect with the snapshot that it is of.
type prospectOf struct {
	digest string
	prospect
}

// prospect looks at the users with the highest risks until a call does not pay,
// or nobody is left to make it. It is kept until there is another snapshot.
func (s *Server) prospect(ctx context.Context, snapshot *Snapshot) (prospect, error) {
	if kept := s.worth.Load(); kept != nil && kept.digest == snapshot.Digest {
		return kept.prospect, nil
	}
	w := s.options.Pages.Worth
	p := prospect{Worth: w, Leavers: snapshot.MeanRisk * float64(snapshot.Users), LeastOf: w.ContactCost / (w.SuccessRate * w.KeptCustomer)}
	p.AtStake = p.Leavers * w.KeptCustomer
	err := s.eachUser(ctx, Query{}, func(u *User) bool {
		if p.Calls == w.Capacity || u.Risk < p.LeastOf {
			return false
		}
		p.Calls++
		p.Kept += u.Risk * w.SuccessRate
		p.LastRisk = u.Risk
		return true
	})
	if err != nil {
		return p, err
	}
	p.Gain = p.Kept*w.KeptCustomer - float64(p.Calls)*w.ContactCost
	s.worth.Store(&prospectOf{snapshot.Digest, p})
	return p, nil
}

// listStep is how many users are read at a time.
const listStep = 500

// eachUser gives visit the users that a query selects, in its order, until visit
// returns false.
func (s *Server) eachUser(ctx context.Context, q Query, visit func(*User) bool) error {
	for q.Limit = listStep; ; {
		page, err := s.options.Users.List(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Users {
			if !visit(&page.Users[i]) {
				return nil
			}
		}
		if page.Cursor == "" {
			return nil
		}
		q.Cursor = page.Cursor
	}
}
