-- The compromise mode: one switch for all nodes.
CREATE TABLE compromise_mode (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  mode text NOT NULL DEFAULT 'normal' CHECK (mode IN ('normal', 'watch', 'contain', 'recover')),
  reason text NOT NULL DEFAULT '',
  actor text NOT NULL DEFAULT 'system',   -- an actor, as in audit_log
  since timestamptz NOT NULL,
  expires_at timestamptz                  -- then it becomes normal by itself; none: never
);
INSERT INTO compromise_mode (since) VALUES (clock_timestamp());

-- Every node looks at once, also when it is SQL by hand.
CREATE FUNCTION on_compromise_mode() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM notify_readers();
  RETURN NULL;
END $$;
CREATE TRIGGER compromise_mode_set AFTER UPDATE ON compromise_mode FOR EACH STATEMENT EXECUTE FUNCTION on_compromise_mode();
ALTER TABLE compromise_mode ENABLE ALWAYS TRIGGER compromise_mode_set;
