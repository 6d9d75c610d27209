package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/net/netutil"

	"churn/internal/size"
)

// Options are what a server is made of. Only Models, Now and Logger are
// necessary.
type Options struct {
	Params Params
	Models Models
	Users  Users // nil: nobody has been scored
	// Dossiers may be nil: nothing is known of single users.
	Dossiers Dossiers
	Pages    Pages // what the dashboard shows beside Models, Users and Dossiers
	// Monitoring may be nil: no figures of monitors in /metrics.
	Monitoring Monitoring
	Log        Log              // nil: predictions are not kept
	Shadow     Shadow           // nil: no second model
	Keys       string           // lines of API keys, as those of serve.keys_file, which they add to
	Now        func() time.Time // the clock
	Logger     *slog.Logger
	// Version is that of the program.
	Version string
	// Listening is told the addresses once the server accepts connections;
	// metrics is nil without an address of its own. May be nil.
	Listening func(address, metrics net.Addr)
}

// Server answers over HTTP. It is safe for concurrent use.
type Server struct {
	options  Options
	params   Params
	log      *slog.Logger
	headers  http.Header // of every answer; never changed
	maxBody  int64
	echo     *echo.Echo
	metrics  *metrics
	calls    sync.Pool              // of *call
	work     sync.Pool              // of *work
	inputs   atomic.Pointer[inputs] // of the model that was asked last
	pages    *pageSet
	worth    atomic.Pointer[prospectOf] // of the snapshot that was looked at last
	keys     keyring
	limiter  *limiter
	origin   *http.CrossOriginProtection
	tls      *certificate // nil = none
	followed []*followed
	draining atomic.Bool
}

// New returns a server that is ready to Run. The params must be valid; an error
// says which of them does not fit this machine.
func New(o Options) (*Server, error) {
	if o.Users == nil {
		o.Users = noUsers{}
	}
	if o.Dossiers == nil {
		o.Dossiers = noDossiers{}
	}
	if o.Log == nil {
		o.Log = noLog{}
	}
	o.Pages = o.Pages.complete()
	if o.Monitoring == nil {
		o.Monitoring = noMonitoring{}
	}
	s := &Server{options: o, params: o.Params, log: o.Logger, headers: securityHeaders(o.Params.TLSCert != ""), maxBody: bytesOf(o.Params.MaxBody),
		limiter: newLimiter(o.Params), pages: newPageSet(), origin: http.NewCrossOriginProtection()}
	if err := s.readFiles(o.Keys); err != nil {
		return nil, err
	}
	if err := s.params.checkExposure(s.keys.inForce()); err != nil {
		return nil, err
	}
	s.calls.New = func() any { return new(call) }
	s.metrics = newMetrics(s)
	s.echo = echo.New()
	s.echo.Use(s.observe)
	for _, r := range s.routes() {
		s.add(r)
	}
	return s, nil
}

// readFiles reads keys and certificate, and notes what to follow.
func (s *Server) readFiles(keys string) error {
	p := s.params
	s.keys.fixed, s.keys.file = keys, p.KeysFile
	if p.KeysFile != "" {
		s.followed = append(s.followed, &followed{name: "keys", paths: []string{p.KeysFile}, load: s.keys.load})
	}
	if p.TLSCert != "" {
		s.tls = &certificate{cert: p.TLSCert, key: p.TLSKey}
		s.followed = append(s.followed, &followed{name: "tls", paths: []string{p.TLSCert, p.TLSKey}, load: s.tls.load})
	}
	var errs []error
	for _, f := range s.followed {
		f.changed() // first, so that a change from here on is one
		errs = append(errs, f.load())
	}
	if p.KeysFile == "" {
		errs = append(errs, s.keys.load())
	}
	return errors.Join(errs...)
}

// Handler returns what answers requests, for tests and for other listeners.
func (s *Server) Handler() http.Handler { return s.echo }

// Run answers until ctx ends, then drains: it says that it is not ready, goes
// on for serve.drain_delay so that balancers notice (connections close after
// their next answer, none before it), takes no new connections, and gives
// requests under way serve.drain_timeout. It returns nil if all of
// them were answered.
func (s *Server) Run(ctx context.Context) error {
	main, err := s.listen("serve.address", s.params.Address)
	if err != nil {
		return err
	}
	defer main.Close() //nolint:errcheck // closed by then, except after a fault
	servers, failed := []*http.Server{s.httpServer(s.guardHost(s.echo))}, make(chan error, 2)
	var metricsAddress net.Addr
	if s.params.MetricsAddress != "" {
		side, err := s.listen("serve.metrics_address", s.params.MetricsAddress)
		if err != nil {
			return err
		}
		metricsAddress = side.Addr()
		servers = append(servers, s.httpServer(s.sideHandler()))
		servers[1].WriteTimeout = 0 // a profile takes as long as it is asked to
		go func() { failed <- servers[1].Serve(side) }()
	}
	go func() { failed <- s.serve(servers[0], main) }()
	following, stop := context.WithCancel(ctx)
	defer stop()
	go s.follow(following)
	s.log.Info("listening", "address", main.Addr().String())
	if s.options.Listening != nil {
		s.options.Listening(main.Addr(), metricsAddress)
	}
	select {
	case err := <-failed:
		return errors.Join(err, closeAll(servers))
	case <-ctx.Done():
		return s.drain(servers)
	}
}

// drain ends the servers in good order; the one with the metrics goes last, so
// that they tell of the draining.
func (s *Server) drain(servers []*http.Server) error {
	s.draining.Store(true)
	s.log.Info("draining", "delay", s.params.DrainDelay, "timeout", s.params.DrainTimeout)
	time.Sleep(s.params.DrainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), s.params.DrainTimeout)
	defer cancel()
	err := servers[0].Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("requests were still under way after serve.drain_timeout, %v; they have been cut off", s.params.DrainTimeout)
	}
	return errors.Join(err, closeAll(servers))
}

func closeAll(servers []*http.Server) error {
	var errs []error
	for _, h := range servers {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}

// listen opens an address for a bounded number of connections.
func (s *Server) listen(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with --set %s=HOST:PORT", err, key)
	}
	return netutil.LimitListener(l, s.params.MaxConnections), nil
}

// httpServer returns a server with the limits of the params.
func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.params.ReadHeaderTimeout,
		ReadTimeout:       s.params.ReadTimeout,
		WriteTimeout:      s.params.WriteTimeout,
		IdleTimeout:       s.params.IdleTimeout,
		MaxHeaderBytes:    int(bytesOf(s.params.MaxHeader)),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // clients' faults: a scanner must not fill the log
	}
}

func (s *Server) serve(h *http.Server, l net.Listener) error {
	if s.tls == nil {
		return h.Serve(l)
	}
	h.TLSConfig = s.tls.config()
	return h.ServeTLS(l, "", "")
}

// sideHandler answers on the address for operators: metrics and profiles. Beyond
// this machine profiles need an admin key, since they cost time and show how the
// program was started; metrics do not, since scrapers have none.
func (s *Server) sideHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.handler())
	for path, handle := range map[string]http.HandlerFunc{"": pprof.Index, "cmdline": pprof.Cmdline, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace} {
		mux.HandleFunc("GET /debug/pprof/"+path, s.profile(handle))
	}
	near := loopback(s.params.MetricsAddress)
	strange := s.refusing(Misdirected, "on this machine the metrics are those of localhost; ask by an address")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if near && !localName(r.Host) { // a page in a browser, see guardHost
			strange(w, r)
			return
		}
		maps.Copy(w.Header(), s.headers)
		mux.ServeHTTP(w, r)
	})
}

// profile lets operators through to a profile.
func (s *Server) profile(handle http.HandlerFunc) http.HandlerFunc {
	refuse := s.refusing(Forbidden, "profiles beyond this machine need a key with the scope admin")
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := find(s.keys.inForce(), presented(r))
		if loopback(s.params.MetricsAddress) || ok && key.allows(ScopeAdmin) && !key.expired(s.options.Now()) {
			handle(w, r)
			return
		}
		refuse(w, r)
	}
}

// refusing returns a handler that answers with a problem.
func (s *Server) refusing(k Kind, detail string) http.HandlerFunc {
	refuse := s.observe(func(echo.Context) error { return Refuse(k, "%s", detail) })
	return func(w http.ResponseWriter, r *http.Request) {
		refuse(s.echo.NewContext(r, w)) //nolint:errcheck // observe has answered
	}
}

// bytesOf reads a size that Validate has accepted.
func bytesOf(text string) int64 {
	n, err := size.Parse(text)
	if err != nil {
		panic("server: " + err.Error())
	}
	return n
}
