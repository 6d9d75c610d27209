package server

import "context"

// noLog keeps nothing.
type noLog struct{}

func (noLog) Record(Logged)     {}
func (noLog) Status() LogStatus { return LogStatus{} }

// noUsers knows nobody.
type noUsers struct{}

func (noUsers) Snapshot(context.Context) (Snapshot, error) { return Snapshot{}, ErrNoSnapshot }
func (noUsers) Find(context.Context, string) (User, Snapshot, error) {
	return User{}, Snapshot{}, ErrNoSnapshot
}
func (noUsers) List(context.Context, Query) (Page, error)   { return Page{}, ErrNoSnapshot }
func (noUsers) History(context.Context) ([]Snapshot, error) { return nil, nil }
func (noUsers) Status() DataStatus                          { return DataStatus{} }

// noDossiers knows nobody.
type noDossiers struct{}

func (noDossiers) Dossier(context.Context, string) (Dossier, error) {
	return Dossier{}, ErrNoSnapshot
}
func (noDossiers) Status() DataStatus { return DataStatus{} }

// noEvidence knows nothing of models, and moves none.
type noEvidence struct{}

func (noEvidence) Card(context.Context, string) (Card, error) { return Card{}, ErrNotKept }
func (noEvidence) Past(context.Context) (Past, error)         { return Past{}, ErrNotKept }
func (noEvidence) Drifts(context.Context) ([]Drift, error)    { return nil, nil }
func (noEvidence) Alarms(context.Context) ([]Alarm, error)    { return nil, ErrNotKept }
func (noEvidence) RollBack(context.Context, Return) (Move, error) {
	return Move{}, Refuse(Unavailable, "this server has no registry to move models in")
}
