-- SPDX-License-Identifier: PostgreSQL
-- Who may do what in schema chime is said by its migrations, and not by the default privileges of the role that runs
-- them. Each migration that makes relations or functions ends with this statement; what is made at run time goes
-- through chime.keep_private and its like.

-- What somebody granted who is in no default privileges stays. PUBLIC may call what a migration did not take from it.
CREATE FUNCTION chime.keep_ledger_private() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.take_back(o.object, o.owner, (
        SELECT array_agg(i) FROM unnest(o.privileges) AS i CROSS JOIN aclexplode(ARRAY[i]) AS a
        WHERE EXISTS (SELECT FROM pg_default_acl d CROSS JOIN aclexplode(d.defaclacl) AS given
                      WHERE d.defaclrole = o.owner AND given.grantee = a.grantee AND (given.grantee <> 0 OR o.object NOT LIKE 'ROUTINE %'))))
    FROM (SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass AS object, c.relowner AS owner,
                 c.relacl AS privileges
          FROM pg_class c WHERE c.relnamespace = 'chime'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
          UNION ALL
          SELECT 'ROUTINE ' || p.oid::regprocedure, p.proowner, p.proacl FROM pg_proc p WHERE p.pronamespace = 'chime'::regnamespace
          UNION ALL
          SELECT 'SCHEMA chime', n.nspowner, n.nspacl FROM pg_namespace n WHERE n.nspname = 'chime') AS o;
    PERFORM chime.grant_to_roles();
END $$;
COMMENT ON FUNCTION chime.keep_ledger_private IS 'takes back what default privileges gave of schema chime, and gives each role what it may do there';
REVOKE ALL ON FUNCTION chime.keep_ledger_private() FROM PUBLIC;
SELECT chime.keep_ledger_private();
