//! Logins, right and wrong, and the queue of checks.

use std::time::Duration;

use super::*;

const COST: u32 = 4;
const WRONG: Result<(), Refusal> = Err(Refusal::Login);

fn users(users: &[(&str, &str, u32)]) -> Users {
    let user = |&(name, password, cost): &(&str, &str, u32)| {
        let hash = bcrypt::hash(password, cost).unwrap();
        (name.to_owned(), PasswordHash::parse(&hash).unwrap())
    };
    users.iter().map(user).collect()
}

fn request(header: &str) -> Request<()> {
    let request = Request::builder().header(AUTHORIZATION, header);
    request.body(()).unwrap()
}

fn basic(user: &str, password: &str) -> Request<()> {
    let login = STANDARD.encode(format!("{user}:{password}"));
    request(&format!("Basic {login}"))
}

#[tokio::test]
async fn only_a_users_own_password_is_right() {
    let other = "other:with colon";
    let users = users(&[("a", "right", COST), ("b", other, COST), ("c", "", COST)]);
    let checker = LoginChecker::new().unwrap();
    for _ in 0..2 {
        for (user, password, expected) in [
            ("a", "right", Ok(())),
            ("a", "wrong", WRONG),
            ("a", "", WRONG),
            ("b", other, Ok(())),
            ("b", "right", WRONG),
            ("c", "", Ok(())),
            ("unknown", "right", WRONG),
            ("unknown", other, WRONG),
            ("unknown", "", WRONG),
        ] {
            let verdict = checker.check(&users, &basic(user, password)).await;
            assert_eq!(verdict, expected, "{user} {password}");
        }
    }
}

#[tokio::test]
async fn a_malformed_login_is_denied() {
    let users = users(&[("a", "right", COST)]);
    let checker = LoginChecker::new().unwrap();
    let right = STANDARD.encode("a:right");
    for (header, expected) in [
        (format!("Basic {right}"), Ok(())),
        (format!("bASIC {right}"), Ok(())),
        (format!("Bearer {right}"), WRONG),
        (format!("Basic{right}"), WRONG),
        (format!("Basic {right}=="), WRONG),
        (format!("Basic {}", STANDARD.encode("a")), WRONG),
        (format!("Basic {}", STANDARD.encode(b"\xff:right")), WRONG),
        ("Basic".to_owned(), WRONG),
        (String::new(), WRONG),
    ] {
        let result = checker.check(&users, &request(&header)).await;
        assert_eq!(result, expected, "{header}");
    }
    let none = Request::builder().body(()).unwrap();
    assert_eq!(checker.check(&users, &none).await, WRONG);
}

#[tokio::test]
async fn a_changed_password_makes_the_old_one_wrong_and_a_removed_user_is_forgotten() {
    let checker = LoginChecker::new().unwrap();
    let before = users(&[("a", "old", COST), ("b", "old", COST)]);
    for user in ["a", "b"] {
        let verdict = checker.check(&before, &basic(user, "old")).await;
        assert_eq!(verdict, Ok(()));
    }
    let after = users(&[("a", "new", COST)]);
    checker.retain(&after);
    assert_eq!(checker.with_cache(|cache| cache.right.len()), 1);
    for (user, password, expected) in [
        ("a", "old", WRONG),
        ("b", "old", WRONG),
        ("a", "new", Ok(())),
    ] {
        let verdict = checker.check(&after, &basic(user, password)).await;
        assert_eq!(verdict, expected, "{user} {password}");
    }
}

#[tokio::test]
async fn a_cached_login_does_not_wait_and_the_queue_is_bounded() {
    let users = users(&[("a", "right", COST)]);
    let checker = Arc::new(LoginChecker::new().unwrap());
    let right = basic("a", "right");
    assert_eq!(checker.check(&users, &right).await, Ok(()));
    // A check that takes forever.
    let checking = checker.checking.clone().lock_owned().await;
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..MAX_QUEUED {
        let (checker, users) = (checker.clone(), users.clone());
        let request = basic("a", &format!("wrong {number}"));
        waiting.spawn(async move { checker.check(&users, &request).await });
    }
    while checker.queue.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let one_more = basic("a", "one more");
    assert_eq!(checker.check(&users, &one_more).await, Err(Refusal::Busy));
    assert_eq!(checker.check(&users, &right).await, Ok(()));
    drop(checking);
    while let Some(verdict) = waiting.join_next().await {
        assert_eq!(verdict.unwrap(), WRONG);
    }
    assert_eq!(checker.queue.available_permits(), MAX_QUEUED);
    assert_eq!(checker.check(&users, &one_more).await, WRONG);
}

#[tokio::test]
async fn a_disconnected_client_leaves_the_queue() {
    let users = users(&[("a", "right", COST)]);
    let checker = LoginChecker::new().unwrap();
    let checking = checker.checking.clone().lock_owned().await;
    let request = basic("a", "wrong");
    let check = tokio::time::timeout(Duration::from_millis(1), checker.check(&users, &request));
    assert!(check.await.is_err());
    drop(checking);
    assert_eq!(checker.queue.available_permits(), MAX_QUEUED);
    assert!(checker.checking.try_lock().is_ok());
}

#[tokio::test]
async fn the_cache_of_wrong_logins_is_bounded_and_displaces_no_right_one() {
    let users = users(&[("a", "right", COST)]);
    let checker = LoginChecker::new().unwrap();
    let right = basic("a", "right");
    assert_eq!(checker.check(&users, &right).await, Ok(()));
    for number in 0..MAX_WRONG + 10 {
        let wrong = basic("unknown", &number.to_string());
        assert_eq!(checker.check(&users, &wrong).await, WRONG);
    }
    let sizes = |cache: &mut Cache| (cache.right.len(), cache.wrong.len());
    assert_eq!(checker.with_cache(sizes), (1, MAX_WRONG));
}

#[tokio::test]
async fn an_unknown_user_costs_as_much_as_a_known_one() {
    let users = users(&[("cheap", "x", 4), ("dear", "x", 5)]);
    let checker = LoginChecker::new().unwrap();
    let mut costs = std::collections::BTreeSet::new();
    for number in 0..100 {
        let name = format!("unknown {number}");
        let hash = checker.decoy_hash(&users, &name).unwrap();
        assert_eq!(checker.decoy_hash(&users, &name), Some(hash));
        costs.insert(hash.as_str()[4..6].to_owned());
    }
    assert_eq!(costs.into_iter().collect::<Vec<_>>(), ["04", "05"]);
    assert_eq!(checker.decoy_hash(&Users::new(), "unknown"), None);
}
