//! Alternating users: the clone is made, kept the same as its original, and takes turns with it.

use serde_json::json;

use crate::world::{DATABASE, MASTER, PASSWORD, USER, World, token};

const CLONE: &str = "learninghub_app_clone";

/// What a user has in the database, one line each.
const RIGHTS: &str = "
SELECT r.name AS what FROM sys.database_role_members AS m
JOIN sys.database_principals AS u ON u.principal_id = m.member_principal_id
JOIN sys.database_principals AS r ON r.principal_id = m.role_principal_id WHERE u.name = N'?'
UNION ALL
SELECT p.state + N' ' + p.permission_name + N' ' + CAST(p.class AS nvarchar(4)) + N' ' + CAST(p.major_id AS nvarchar(12))
FROM sys.database_permissions AS p
JOIN sys.database_principals AS u ON u.principal_id = p.grantee_principal_id WHERE u.name = N'?'
ORDER BY what";

async fn rights(world: &World, database: &str, user: &str) -> Vec<String> {
    world.texts(database, &RIGHTS.replace('?', user)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn users_take_turns_and_the_one_in_use_keeps_working() {
    let world = World::start_alternating().await;
    let function = world.function(&[]);
    for round in 1..=4 {
        let (_, before) = world.stage("AWSCURRENT").await.unwrap();
        let (user, password) = (before["username"].as_str().unwrap(), before["password"].as_str().unwrap());
        let token = token(round);
        world.begin(&token);
        world.rotate(&function, &token).await.unwrap();
        world.assert_rotated(&token).await;
        let (_, after) = world.stage("AWSCURRENT").await.unwrap();
        assert_eq!(after["username"], if round % 2 == 1 { CLONE } else { USER });
        assert_eq!(after["masterarn"], before["masterarn"]);
        // Whoever has the old version is still let in.
        world.log_in(user, password, DATABASE).await.unwrap();
        assert_eq!(world.last_line("rotation_step_ended")["strategy"], "alternating_users");
    }
    world.assert_no_leak().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clone_has_what_its_original_has_in_every_database() {
    let world = World::start_alternating().await;
    world.sql("master", "CREATE DATABASE [odd ]]name]").await;
    for database in [DATABASE, "odd ]name"] {
        world
            .sql(
                database,
                &format!(
                    "CREATE TABLE dbo.[t ]]' able] (id int);
                     EXEC (N'CREATE SCHEMA [s]]chema]');
                     CREATE ROLE [ro]]le];
                     IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'{USER}')
                         CREATE USER {USER} FOR LOGIN {USER};
                     IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'lockkeeper_rotation')
                         CREATE USER lockkeeper_rotation FOR LOGIN lockkeeper_rotation;
                     ALTER ROLE db_owner ADD MEMBER lockkeeper_rotation;
                     ALTER ROLE [ro]]le] ADD MEMBER {USER};
                     GRANT INSERT ON dbo.[t ]]' able] TO {USER} WITH GRANT OPTION;
                     DENY DELETE ON OBJECT::dbo.[t ]]' able] TO {USER};
                     GRANT SELECT ON SCHEMA::[s]]chema] TO {USER};
                     GRANT CREATE TABLE TO {USER}"
                ),
            )
            .await;
    }
    let function = world.function(&[]);
    let mut number = 0;
    let mut to_clone = async || {
        for _ in 0..2 {
            number += 1;
            let token = token(number);
            world.begin(&token);
            world.rotate(&function, &token).await.unwrap();
            if number % 2 == 1 {
                break;
            }
        }
        for database in [DATABASE, "odd ]name"] {
            let (original, clone) =
                (rights(&world, database, USER).await, rights(&world, database, CLONE).await);
            assert!(original.len() >= 4, "{original:?}");
            assert_eq!(original, clone, "{database}");
        }
    };
    to_clone().await;
    // What the original loses goes; what was given to the clone alone goes too.
    for database in [DATABASE, "odd ]name"] {
        let change = format!(
            "REVOKE INSERT ON dbo.[t ]]' able] FROM {USER} CASCADE;
             GRANT INSERT ON dbo.[t ]]' able] TO {USER};
             REVOKE DELETE ON dbo.[t ]]' able] FROM {USER};
             ALTER ROLE [ro]]le] DROP MEMBER {USER};
             GRANT UPDATE ON dbo.[t ]]' able] TO {USER};
             DENY SELECT ON dbo.[t ]]' able] TO {CLONE};
             ALTER ROLE db_owner ADD MEMBER {CLONE}"
        );
        world.sql(database, &change).await;
    }
    to_clone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_the_original_has_no_longer_goes() {
    let world = World::start_alternating().await;
    world.sql("master", "CREATE DATABASE other").await;
    let users = format!(
        "CREATE USER [mapped] FOR LOGIN {USER}; CREATE USER rotation FOR LOGIN lockkeeper_rotation;
         ALTER ROLE db_owner ADD MEMBER rotation"
    );
    world.sql("other", &users).await;
    let function = world.function(&[]);
    let names = "SELECT name FROM sys.database_principals WHERE type = 'S' ORDER BY name";
    for (round, change) in [(1, None), (2, Some("DROP USER [mapped]")), (3, None)] {
        world.begin(&token(round));
        world.rotate(&function, &token(round)).await.unwrap();
        let has = world.texts("other", names).await.contains(&CLONE.to_owned());
        assert_eq!(has, round < 3);
        if let Some(change) = change {
            world.sql("other", change).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_sets_a_single_user_s_password() {
    let world = World::start_alternating().await;
    let function = world.function(&[("ROTATION_STRATEGY", "single")]);
    // Neither a lost password nor a lock is an obstacle.
    for (round, trouble) in [(1, ""), (2, "lost"), (3, "locked")] {
        if trouble == "lost" {
            world.sql("master", &format!("ALTER LOGIN {USER} WITH PASSWORD = N'Canary-by-hand-1'")).await;
        }
        if trouble == "locked" {
            for _ in 0..10 {
                assert!(world.log_in(USER, "wrong", "master").await.is_err());
            }
        }
        world.begin(&token(round));
        world.rotate(&function, &token(round)).await.unwrap();
        world.assert_rotated(&token(round)).await;
        assert_eq!(world.stage("AWSCURRENT").await.unwrap().1["username"], USER);
        assert_eq!(world.last_line("rotation_step_ended")["strategy"], "single_user");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rights_the_superuser_says_so_and_nothing_is_lost() {
    let world = World::start_alternating().await;
    let function = world.function(&[]);
    world.begin(&token(1));
    world.sql("master", "REVOKE ALTER ANY LOGIN FROM lockkeeper_rotation").await;
    let failed = world.rotate(&function, &token(1)).await.unwrap_err();
    assert_eq!(failed.error_type, "IdentityChanged");
    world.sql("master", "GRANT ALTER ANY LOGIN TO lockkeeper_rotation").await;
    world.sql(DATABASE, "ALTER ROLE db_owner DROP MEMBER lockkeeper_rotation").await;
    let failed = world.step(&function, "setSecret", &token(1)).await.unwrap_err();
    assert_eq!(failed.error_type, "Permission", "{}", failed.error_message);
    assert!(failed.error_message.starts_with("setSecret: "));
    assert!(world.works("AWSCURRENT").await);
    world.sql(DATABASE, "ALTER ROLE db_owner ADD MEMBER lockkeeper_rotation").await;
    world.rotate(&function, &token(1)).await.unwrap();
    world.assert_rotated(&token(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_of_another_server_is_not_used() {
    let world = World::start_alternating().await;
    let function = world.function(&[]);
    let mut value = world.value("lockkeeper_rotation", crate::world::MASTER_PASSWORD);
    value["port"] = json!(1);
    let put = world.secrets.put_secret_value().secret_id(MASTER).secret_string(value.to_string());
    put.send().await.unwrap();
    world.begin(&token(1));
    let failed = world.rotate(&function, &token(1)).await.unwrap_err();
    assert_eq!(failed.error_type, "IdentityChanged");
    world.log_in(USER, PASSWORD, DATABASE).await.unwrap();
}

/// The portal tells by these words that it is not the application's login that was refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_that_is_refused_is_named() {
    let world = World::start_alternating().await;
    let function = world.function(&[]);
    world.sql("master", "ALTER LOGIN lockkeeper_rotation WITH PASSWORD = N'Canary-by-hand-2'").await;
    world.begin(&token(1));
    let failed = world.rotate(&function, &token(1)).await.unwrap_err();
    assert_eq!(failed.error_type, "WrongPassword");
    assert!(failed.error_message.contains("the superuser"), "{}", failed.error_message);
    assert!(world.works("AWSCURRENT").await);
}
