package cli

import (
	"churn/internal/serving"
	"churn/pipeline/prepare"
	"churn/registry"
)

// ledgerFolders returns where moves of aliases show as files.
func (s *session) ledgerFolders() []string {
	if s.config.Registry.URL != "" {
		return nil // polls find out
	}
	return []string{registry.LedgerFolder(s.config.Paths.Registry)}
}

// users answers from the latest predictions.
func (s *session) users(r *registry.Registry) *serving.Users {
	return serving.NewUsers(serving.UsersOptions{Tables: serving.WorkspaceTables(s.files), FeatureSets: serving.FeatureSets(r), Cache: s.config.Paths.Cache, Now: s.now, Log: s.log})
}

// dossiers tells about single users by the model in use.
func (s *session) dossiers(models *serving.Follower) *serving.Dossiers {
	return serving.NewDossiers(serving.DossierOptions{Data: preparedData{s}, Model: models.Predictor, Every: s.config.Features.EveryDays, Now: s.now, Log: s.log})
}

// preparedData is what prepare wrote.
type preparedData struct{ session *session }

func (d preparedData) Mark() (string, error) {
	return d.session.files.Mark(d.session.files.Timelines())
}

func (d preparedData) Open() (*prepare.Lookup, error) { return d.session.lookup() }
