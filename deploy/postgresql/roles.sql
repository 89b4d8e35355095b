-- The role that the server logs in with, which can do what it needs and nothing more: no changes of the schema, and an audit
-- log that it can only add to. Run it as the owner of the schema (whoever runs `safawinet migrate`), after each migration:
--
--   psql --set ON_ERROR_STOP=1 --file deploy/postgresql/roles.sql "$OWNER_URL"
--
-- and give the role its password, or a certificate: ALTER ROLE safawinet_server PASSWORD '…'. Nodes then run with
-- database.migrate = "check".

SELECT 'CREATE ROLE safawinet_server LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'safawinet_server') \gexec

BEGIN;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM safawinet_server;
REVOKE CREATE ON SCHEMA public FROM safawinet_server, PUBLIC;
GRANT USAGE ON SCHEMA public TO safawinet_server;

GRANT SELECT ON schema_version TO safawinet_server;
GRANT SELECT, INSERT, UPDATE, DELETE
  ON users, refresh_sessions, one_time_tokens, mail_outbox, idempotent_answers, failed_attempts, network_failures,
     known_origins, totp_factors, backup_codes, login_tickets, mail_history, mail_suppressions, mail_feedback, sns_messages,
     mail_counts, mail_warnings
  TO safawinet_server;
GRANT SELECT, INSERT, UPDATE ON keys, root_secret, bulk_logouts, api_keys TO safawinet_server;
GRANT SELECT, INSERT ON master_keys TO safawinet_server;
GRANT SELECT, UPDATE ON session_epoch, compromise_mode, database_probe, under_attack TO safawinet_server;

-- Written by the triggers, which run as their owner; the server reads them, and deletes what has been kept long enough.
GRANT SELECT, UPDATE (seen_at), DELETE ON revocations TO safawinet_server;
GRANT SELECT, DELETE ON ended_sessions TO safawinet_server;

-- The audit log and its chain are only added to. What is erased or has been kept long enough goes through two functions,
-- which run as their owner, leave a record, and take nothing that is younger than thirty days. (A trigger fills the queue.)
GRANT SELECT, INSERT ON audit_log, audit_chain, audit_erasures TO safawinet_server;
GRANT SELECT, DELETE ON audit_queue TO safawinet_server;
GRANT SELECT ON audit_anchor TO safawinet_server;
GRANT EXECUTE ON FUNCTION erase_audit_entries(uuid[]), purge_audit_log(bigint, text, text) TO safawinet_server;

COMMIT;
