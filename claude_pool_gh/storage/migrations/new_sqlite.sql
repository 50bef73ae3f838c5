CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE approvals (
	gate VARCHAR(16) NOT NULL,
	actor_id BIGINT NOT NULL,
	login VARCHAR(100) NOT NULL,
	chain_id VARCHAR(64) NOT NULL,
	created_ms BIGINT NOT NULL,
	CONSTRAINT pk_approvals PRIMARY KEY (gate, actor_id)
);
CREATE TABLE audit_findings (
	id VARCHAR(200) NOT NULL,
	audit VARCHAR(128) NOT NULL,
	rule VARCHAR(64) NOT NULL,
	verified BOOLEAN NOT NULL,
	seen INTEGER NOT NULL,
	also JSON NOT NULL,
	CONSTRAINT pk_audit_findings PRIMARY KEY (id)
);
CREATE TABLE audit_reads (
	audit VARCHAR(128) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	age INTEGER NOT NULL,
	contents BLOB NOT NULL,
	CONSTRAINT pk_audit_reads PRIMARY KEY (audit, digest)
);
CREATE TABLE audit_runs (
	chain_id VARCHAR(64) NOT NULL,
	audit VARCHAR(128) NOT NULL,
	"commit" VARCHAR(64) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	started_ms BIGINT NOT NULL,
	ended_ms BIGINT NOT NULL,
	completeness VARCHAR(16) NOT NULL,
	everything BOOLEAN NOT NULL,
	standing JSON NOT NULL,
	new INTEGER NOT NULL,
	fixed INTEGER NOT NULL,
	cost BIGINT NOT NULL,
	tokens BIGINT NOT NULL,
	shards INTEGER NOT NULL,
	seconds FLOAT NOT NULL,
	CONSTRAINT pk_audit_runs PRIMARY KEY (chain_id)
);
CREATE TABLE audit_schedules (
	repository_id BIGINT NOT NULL,
	audit VARCHAR(64) NOT NULL,
	cron VARCHAR(100) NOT NULL,
	timezone VARCHAR(64) NOT NULL,
	look_ms BIGINT,
	last_due_ms BIGINT NOT NULL,
	generation INTEGER NOT NULL,
	live_run VARCHAR(160) NOT NULL,
	live_digest VARCHAR(64) NOT NULL,
	stopped BOOLEAN NOT NULL,
	stopped_by VARCHAR(100) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	unchanged INTEGER NOT NULL,
	passed_ms BIGINT NOT NULL,
	passed_why VARCHAR(200) NOT NULL,
	missed INTEGER NOT NULL,
	CONSTRAINT pk_audit_schedules PRIMARY KEY (repository_id, audit)
);
CREATE TABLE chain_scopes (
	chain_id VARCHAR(64) NOT NULL,
	kind VARCHAR(32) NOT NULL,
	"key" VARCHAR(128) NOT NULL,
	CONSTRAINT pk_chain_scopes PRIMARY KEY (chain_id, kind),
	CONSTRAINT fk_chain_scopes_chain_id_chains FOREIGN KEY(chain_id) REFERENCES chains (id)
);
CREATE TABLE chains (
	id VARCHAR(64) NOT NULL,
	pool VARCHAR(128) NOT NULL,
	kind VARCHAR(8) NOT NULL,
	state VARCHAR(16) NOT NULL,
	parked_for VARCHAR(16),
	outcome JSON,
	"plan" JSON NOT NULL,
	caps JSON NOT NULL,
	priority INTEGER NOT NULL,
	place INTEGER NOT NULL,
	deadline_ms BIGINT,
	created_ms BIGINT NOT NULL,
	started_ms BIGINT,
	ended_ms BIGINT,
	cancel_requested BOOLEAN NOT NULL,
	owner VARCHAR(128),
	generation INTEGER NOT NULL, verb TEXT DEFAULT '' NOT NULL, head TEXT DEFAULT '' NOT NULL, workflow TEXT DEFAULT '' NOT NULL, requester TEXT DEFAULT '' NOT NULL, account JSON DEFAULT '{}' NOT NULL, steps_digest VARCHAR(64), trimmed_ms BIGINT, packed_tasks JSON,
	CONSTRAINT pk_chains PRIMARY KEY (id)
);
CREATE TABLE commands (
	"key" VARCHAR(160) NOT NULL,
	state VARCHAR(16) NOT NULL,
	line TEXT NOT NULL,
	request JSON NOT NULL,
	answer TEXT,
	chain_id VARCHAR(64),
	owner VARCHAR(160),
	tries INTEGER NOT NULL,
	due_ms BIGINT NOT NULL,
	received_ms BIGINT NOT NULL, thread VARCHAR(128) DEFAULT '' NOT NULL, actor_id BIGINT DEFAULT '0' NOT NULL,
	CONSTRAINT pk_commands PRIMARY KEY ("key")
);
CREATE TABLE context (
	"key" VARCHAR(128) NOT NULL,
	value TEXT NOT NULL,
	updated_ms BIGINT NOT NULL,
	CONSTRAINT pk_context PRIMARY KEY ("key")
);
CREATE TABLE cursors (
	name VARCHAR(128) NOT NULL,
	value VARCHAR(200) NOT NULL,
	CONSTRAINT pk_cursors PRIMARY KEY (name)
);
CREATE TABLE deliveries (
	guid VARCHAR(64) NOT NULL,
	event VARCHAR(64) NOT NULL,
	action VARCHAR(64),
	received_ms BIGINT NOT NULL,
	CONSTRAINT pk_deliveries PRIMARY KEY (guid)
);
CREATE TABLE effects (
	"key" VARCHAR(200) NOT NULL,
	kind VARCHAR(24) NOT NULL,
	repository_id BIGINT NOT NULL,
	installation_id BIGINT NOT NULL,
	state VARCHAR(16) NOT NULL,
	priority INTEGER NOT NULL,
	wanted JSON NOT NULL,
	wanted_version INTEGER NOT NULL,
	written_version INTEGER NOT NULL,
	attempted BOOLEAN NOT NULL,
	remote_id BIGINT,
	tries INTEGER NOT NULL,
	due_ms BIGINT NOT NULL,
	error TEXT, chain_id VARCHAR(64), changed_ms BIGINT DEFAULT '0' NOT NULL, note VARCHAR(200), cause VARCHAR(80), trimmed_ms BIGINT,
	CONSTRAINT pk_effects PRIMARY KEY ("key")
);
CREATE TABLE findings (
	id VARCHAR(200) NOT NULL,
	thread VARCHAR(128) NOT NULL,
	fingerprint VARCHAR(20) NOT NULL,
	chain_id VARCHAR(64) NOT NULL,
	state VARCHAR(16) NOT NULL,
	reason TEXT,
	stated JSON NOT NULL,
	created_ms BIGINT NOT NULL, recipe VARCHAR(64) DEFAULT 'review' NOT NULL, settled_by VARCHAR(100), settled_ms BIGINT, head VARCHAR(64) DEFAULT '' NOT NULL,
	CONSTRAINT pk_findings PRIMARY KEY (id)
);
CREATE TABLE leases (
	name VARCHAR(100) NOT NULL,
	owner VARCHAR(160) NOT NULL,
	expires_ms BIGINT NOT NULL,
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
CREATE TABLE patches (
	run_id VARCHAR(160) NOT NULL,
	chain_id VARCHAR(64) NOT NULL,
	base VARCHAR(64) NOT NULL,
	"commit" VARCHAR(64) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	patch BLOB NOT NULL,
	created_ms BIGINT NOT NULL,
	CONSTRAINT pk_patches PRIMARY KEY (run_id),
	CONSTRAINT fk_patches_chain_id_chains FOREIGN KEY(chain_id) REFERENCES chains (id)
);
CREATE TABLE planned_steps (
	digest VARCHAR(64) NOT NULL,
	steps JSON NOT NULL,
	used_ms BIGINT NOT NULL,
	CONSTRAINT pk_planned_steps PRIMARY KEY (digest)
);
CREATE TABLE receipts (
	writer VARCHAR(64) NOT NULL,
	number BIGINT NOT NULL,
	written_ms BIGINT NOT NULL,
	CONSTRAINT pk_receipts PRIMARY KEY (writer)
);
CREATE TABLE repositories (
	id BIGINT NOT NULL,
	owner VARCHAR(100) NOT NULL,
	name VARCHAR(100) NOT NULL,
	installation_id BIGINT NOT NULL, state VARCHAR(16) DEFAULT 'active' NOT NULL,
	CONSTRAINT pk_repositories PRIMARY KEY (id)
);
CREATE TABLE reservations (
	id VARCHAR(160) NOT NULL,
	level VARCHAR(8) NOT NULL,
	parent_id VARCHAR(160),
	chain_id VARCHAR(64) NOT NULL,
	step VARCHAR(64),
	model VARCHAR(128),
	reserved BIGINT NOT NULL,
	settled BIGINT,
	upper_bound BOOLEAN NOT NULL,
	note TEXT,
	usage JSON,
	created_ms BIGINT NOT NULL,
	settled_ms BIGINT,
	CONSTRAINT pk_reservations PRIMARY KEY (id),
	CONSTRAINT fk_reservations_chain_id_chains FOREIGN KEY(chain_id) REFERENCES chains (id)
);
CREATE TABLE reviewed (
	thread VARCHAR(128) NOT NULL,
	head VARCHAR(64) NOT NULL,
	chain_id VARCHAR(64) NOT NULL, merge_base VARCHAR(64) DEFAULT '' NOT NULL, digest VARCHAR(64) DEFAULT '' NOT NULL,
	CONSTRAINT pk_reviewed PRIMARY KEY (thread)
);
CREATE TABLE server_settings (
	name VARCHAR(64) NOT NULL,
	value TEXT NOT NULL,
	CONSTRAINT pk_server_settings PRIMARY KEY (name)
);
CREATE TABLE slots (
	id VARCHAR(64) NOT NULL,
	worker VARCHAR(128) NOT NULL,
	state VARCHAR(16) NOT NULL,
	config JSON NOT NULL,
	current_task VARCHAR(128),
	session_id VARCHAR(64),
	tasks_completed BIGINT NOT NULL,
	cost BIGINT NOT NULL,
	restart_count INTEGER NOT NULL,
	CONSTRAINT pk_slots PRIMARY KEY (id)
);
CREATE TABLE steps (
	id VARCHAR(128) NOT NULL,
	chain_id VARCHAR(64) NOT NULL,
	position INTEGER NOT NULL,
	name VARCHAR(64) NOT NULL,
	state VARCHAR(16) NOT NULL,
	result JSON,
	rejections JSON NOT NULL,
	work JSON,
	started_ms BIGINT,
	ended_ms BIGINT,
	CONSTRAINT pk_steps PRIMARY KEY (id),
	CONSTRAINT fk_steps_chain_id_chains FOREIGN KEY(chain_id) REFERENCES chains (id)
);
CREATE TABLE tags (
	chain_id VARCHAR(64) NOT NULL,
	tag VARCHAR(128) NOT NULL,
	CONSTRAINT pk_tags PRIMARY KEY (chain_id, tag),
	CONSTRAINT fk_tags_chain_id_chains FOREIGN KEY(chain_id) REFERENCES chains (id)
);
CREATE TABLE tasks (
	id VARCHAR(128) NOT NULL,
	chain_id VARCHAR(64) NOT NULL,
	step VARCHAR(64) NOT NULL,
	shard INTEGER NOT NULL,
	title TEXT NOT NULL,
	state VARCHAR(16) NOT NULL,
	attempt INTEGER NOT NULL,
	model VARCHAR(128) NOT NULL,
	slot VARCHAR(64),
	outcome JSON,
	transcript JSON,
	created_ms BIGINT NOT NULL,
	started_ms BIGINT,
	ended_ms BIGINT, prompt TEXT, asked TEXT, session_id TEXT,
	CONSTRAINT pk_tasks PRIMARY KEY (id),
	CONSTRAINT fk_tasks_chain_id_chains FOREIGN KEY(chain_id) REFERENCES chains (id)
);
CREATE TABLE threads (
	"key" VARCHAR(128) NOT NULL,
	head VARCHAR(64),
	open BOOLEAN NOT NULL, base VARCHAR(255),
	CONSTRAINT pk_threads PRIMARY KEY ("key")
);
CREATE TABLE trusted_commits (
	thread VARCHAR(128) NOT NULL,
	"commit" VARCHAR(64) NOT NULL,
	actor_id BIGINT NOT NULL,
	login VARCHAR(100) NOT NULL,
	created_ms BIGINT NOT NULL,
	CONSTRAINT pk_trusted_commits PRIMARY KEY (thread, "commit")
);
CREATE TABLE workers (
	id VARCHAR(128) NOT NULL,
	started_ms BIGINT NOT NULL,
	beat BIGINT NOT NULL,
	CONSTRAINT pk_workers PRIMARY KEY (id)
);
CREATE INDEX ix_approvals_chain_id ON approvals (chain_id);
CREATE INDEX ix_audit_findings_audit ON audit_findings (audit);
CREATE INDEX ix_audit_runs_audit ON audit_runs (audit, ended_ms);
CREATE INDEX ix_audit_schedules_live_run ON audit_schedules (live_run);
CREATE INDEX ix_audit_schedules_look_ms ON audit_schedules (look_ms);
CREATE INDEX ix_chain_scopes_key ON chain_scopes (kind, "key", chain_id);
CREATE INDEX ix_chains_carried ON chains (state, owner);
CREATE INDEX ix_chains_deadline ON chains (state, deadline_ms);
CREATE INDEX ix_chains_ended ON chains (state, ended_ms);
CREATE INDEX ix_chains_state ON chains (state, pool, priority, created_ms, place);
CREATE INDEX ix_chains_steps_digest ON chains (steps_digest);
CREATE INDEX ix_chains_whole ON chains (ended_ms) WHERE trimmed_ms IS NULL AND ended_ms IS NOT NULL;
CREATE INDEX ix_commands_actor_id ON commands (actor_id, received_ms);
CREATE INDEX ix_commands_state ON commands (state, due_ms);
CREATE INDEX ix_commands_thread ON commands (thread, received_ms);
CREATE INDEX ix_deliveries_received_ms ON deliveries (received_ms);
CREATE INDEX ix_effects_changed_ms ON effects (state, changed_ms);
CREATE INDEX ix_effects_state ON effects (state, installation_id, priority);
CREATE INDEX ix_effects_whole ON effects (state, changed_ms) WHERE trimmed_ms IS NULL;
CREATE INDEX ix_findings_thread ON findings (thread);
CREATE INDEX ix_patches_chain_id ON patches (chain_id);
CREATE INDEX ix_patches_created_ms ON patches (created_ms);
CREATE INDEX ix_repositories_installation_id ON repositories (installation_id);
CREATE INDEX ix_reservations_chain_id ON reservations (chain_id);
CREATE INDEX ix_reservations_level ON reservations (level, created_ms, chain_id, settled, reserved);
CREATE INDEX ix_reservations_parent_id ON reservations (parent_id);
CREATE INDEX ix_slots_worker ON slots (worker);
CREATE INDEX ix_steps_chain_id ON steps (chain_id);
CREATE INDEX ix_tags_tag ON tags (tag);
CREATE INDEX ix_tasks_chain_id ON tasks (chain_id);
CREATE INDEX ix_tasks_kept ON tasks (chain_id) WHERE transcript IS NOT NULL OR prompt IS NOT NULL;
CREATE INDEX ix_tasks_session_id ON tasks (session_id);
CREATE INDEX ix_tasks_state ON tasks (state);
INSERT INTO alembic_version (version_num) VALUES ('0022');
