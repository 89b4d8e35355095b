-- The compromise mode: one switch for all nodes.
CREATE TABLE compromise_mode (
  one INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
  mode TEXT NOT NULL DEFAULT 'normal' CHECK (mode IN ('normal', 'watch', 'contain', 'recover')),
  reason TEXT NOT NULL DEFAULT '',
  actor TEXT NOT NULL DEFAULT 'system',   -- an actor, as in audit_log
  -- Whole, since SQL by hand sets them: no node could read another form.
  since TEXT NOT NULL CHECK (since GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
  -- Then it becomes normal by itself; none: never.
  expires_at TEXT CHECK (expires_at GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
);
INSERT INTO compromise_mode (since) VALUES (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z');
