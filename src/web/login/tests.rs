use std::time::Duration;

use super::*;

const COST: u32 = 4;

fn users(users: &[(&str, &str, u32)]) -> Users {
    users
        .iter()
        .map(|(name, password, cost)| {
            let hash = bcrypt::hash(password, *cost).unwrap();
            ((*name).to_owned(), PasswordHash::parse(&hash).unwrap())
        })
        .collect()
}

fn request(header: &str) -> Request<()> {
    let request = Request::builder().header(AUTHORIZATION, header);
    request.body(()).unwrap()
}

fn basic(user: &str, password: &str) -> Request<()> {
    request(&format!(
        "Basic {}",
        STANDARD.encode(format!("{user}:{password}"))
    ))
}

#[tokio::test]
async fn only_a_users_own_password_is_right() {
    let users = users(&[
        ("a", "right", COST),
        ("b", "other:with colon", COST),
        ("c", "", COST),
    ]);
    let checker = LoginChecker::new().unwrap();
    for _ in 0..2 {
        for (user, password, expected) in [
            ("a", "right", Verdict::Granted),
            ("a", "wrong", Verdict::Denied),
            ("a", "", Verdict::Denied),
            ("b", "other:with colon", Verdict::Granted),
            ("b", "right", Verdict::Denied),
            ("c", "", Verdict::Granted),
            ("unknown", "right", Verdict::Denied),
            ("unknown", "other:with colon", Verdict::Denied),
            ("unknown", "", Verdict::Denied),
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
        (format!("Basic {right}"), Verdict::Granted),
        (format!("bASIC {right}"), Verdict::Granted),
        (format!("Bearer {right}"), Verdict::Denied),
        (format!("Basic{right}"), Verdict::Denied),
        (format!("Basic {right}=="), Verdict::Denied),
        (format!("Basic {}", STANDARD.encode("a")), Verdict::Denied),
        (
            format!("Basic {}", STANDARD.encode(b"\xff:right")),
            Verdict::Denied,
        ),
        ("Basic".to_owned(), Verdict::Denied),
        (String::new(), Verdict::Denied),
    ] {
        assert_eq!(
            checker.check(&users, &request(&header)).await,
            expected,
            "{header}"
        );
    }
    let none = Request::builder().body(()).unwrap();
    assert_eq!(checker.check(&users, &none).await, Verdict::Denied);
}

#[tokio::test]
async fn a_changed_password_makes_the_old_one_wrong_and_a_removed_user_is_forgotten() {
    let checker = LoginChecker::new().unwrap();
    let before = users(&[("a", "old", COST), ("b", "old", COST)]);
    for user in ["a", "b"] {
        let verdict = checker.check(&before, &basic(user, "old")).await;
        assert_eq!(verdict, Verdict::Granted);
    }
    let after = users(&[("a", "new", COST)]);
    checker.retain(&after);
    assert_eq!(checker.with_cache(|cache| cache.right.len()), 1);
    for (user, password, expected) in [
        ("a", "old", Verdict::Denied),
        ("b", "old", Verdict::Denied),
        ("a", "new", Verdict::Granted),
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
    assert_eq!(checker.check(&users, &right).await, Verdict::Granted);
    // A check that takes forever.
    let checking = checker.checking.clone().acquire_owned().await.unwrap();
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
    assert_eq!(checker.check(&users, &one_more).await, Verdict::Busy);
    assert_eq!(checker.check(&users, &right).await, Verdict::Granted);
    drop(checking);
    while let Some(verdict) = waiting.join_next().await {
        assert_eq!(verdict.unwrap(), Verdict::Denied);
    }
    assert_eq!(checker.queue.available_permits(), MAX_QUEUED);
    assert_eq!(checker.check(&users, &one_more).await, Verdict::Denied);
}

#[tokio::test]
async fn a_disconnected_client_leaves_the_queue() {
    let users = users(&[("a", "right", COST)]);
    let checker = LoginChecker::new().unwrap();
    let checking = checker.checking.clone().acquire_owned().await.unwrap();
    let request = basic("a", "wrong");
    let check = tokio::time::timeout(Duration::from_millis(1), checker.check(&users, &request));
    assert!(check.await.is_err());
    drop(checking);
    assert_eq!(checker.queue.available_permits(), MAX_QUEUED);
    assert_eq!(checker.checking.available_permits(), 1);
}

#[tokio::test]
async fn the_cache_of_wrong_logins_is_bounded_and_displaces_no_right_one() {
    let users = users(&[("a", "right", COST)]);
    let checker = LoginChecker::new().unwrap();
    assert_eq!(
        checker.check(&users, &basic("a", "right")).await,
        Verdict::Granted
    );
    for number in 0..MAX_WRONG + 10 {
        let wrong = basic("unknown", &number.to_string());
        assert_eq!(checker.check(&users, &wrong).await, Verdict::Denied);
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
