-- SPDX-License-Identifier: Apache-2.0

-- Run once, on the primary: psql -v password=... -f database.sql

CREATE ROLE epitope LOGIN PASSWORD :'password';
CREATE DATABASE epitope OWNER epitope TEMPLATE template0 ENCODING UTF8;
REVOKE ALL ON DATABASE epitope FROM public;
-- For /ready: whether a standby has what is committed.
GRANT pg_read_all_stats TO epitope;
