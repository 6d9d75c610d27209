package server

import "context"

// noLog keeps nothing.
type noLog struct{}

func (noLog) Record(Logged)  {}
func (noLog) Dropped() int64 { return 0 }

// noShadow scores nothing.
type noShadow struct{}

func (noShadow) Offer(ModelInfo, Row, Score) {}

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
