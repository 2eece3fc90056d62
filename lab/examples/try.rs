//! scratch
use ringfence_bench::case::*;
use ringfence_bench::plan::Plan;
use ringfence_bench::sample::Event;
use ringfence_lab::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
struct P;
impl Progress for P {
    fn start(&self, s: &str) {
        eprintln!("start {s}");
    }
    fn line(&self, _t: &str) {}
    fn end(&self, s: &str, t: f64, f: bool) {
        eprintln!("end {s} {t:.1} {}", if f { "fresh" } else { "" });
    }
}
fn main() -> anyhow::Result<()> {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let modules = || PathBuf::from(a.iter().skip_while(|x| *x != "--modules").nth(1).unwrap());
    let lab = || {
        Lab::new(Options {
            cache: None,
            source: "/work/main".into(),
            agent: std::env::current_exe().unwrap(),
        })
    };
    match a[0].as_str() {
        "--version" => println!("x"),
        "agent" => {
            let mut w = workbench(modules())?;
            ringfence_bench::agent::serve(&mut *w, std::io::stdin().lock(), std::io::stdout())?;
        }
        "guest-tests" => {
            let n = guest_tests(modules())?;
            std::process::exit((n > 0) as i32)
        }
        "up" => lab()?.up(&P)?,
        "down" => lab()?.down()?,
        "test" => println!("{} failures", lab()?.test(&P)?),
        "status" => {
            for s in lab()?.status() {
                println!("{:16} {}", s.name, s.state)
            }
        }
        "shell" => std::process::exit(lab()?.shell(&a[1..])?),
        "boot" => {
            let subjects: Vec<String> = a[1].split(',').map(String::from).collect();
            let ms: u64 = a[2].parse()?;
            let blocks: u32 = a[3].parse()?;
            let mut cases = vec![];
            for (depth, irq) in [(1, "0"), (32, "1")] {
                let workload = Workload {
                    pattern: Pattern::RandRead,
                    block_size: 4096,
                    depth,
                    jobs: 1,
                };
                let settings = BTreeMap::from([("irqmode".to_string(), irq.to_string())]);
                cases.push(Case {
                    driver: "nullblk".into(),
                    ring: 0,
                    name: Case::name_of(&workload, &settings),
                    workload,
                    settings,
                    runtime_ms: ms,
                    ramp_ms: ms / 4,
                });
            }
            let overrides = if a.len() > 4 {
                serde_json::from_str(&a[4])?
            } else {
                BTreeMap::new()
            };
            let plan = Plan {
                version: 1,
                seed: 1,
                subjects: [(0, subjects)].into(),
                cases,
                boots: 1,
                blocks,
                margin: 0.01,
                overrides,
                quick: false,
            };
            let lab = lab()?;
            let mut l = lab.launcher()?;
            for (k, v) in l.describe()? {
                println!("{k} = {v}");
            }
            let t = std::time::Instant::now();
            let mut link = l.boot(0)?;
            link.send(&plan.boot(0, 0))?;
            loop {
                let e = link.next()?;
                match e {
                    Event::Sample(s) => println!(
                        "{:6.1} {} {} {} {:?}",
                        t.elapsed().as_secs_f64(),
                        s.key.case,
                        s.subject,
                        s.value,
                        s.extra
                    ),
                    Event::Done => {
                        println!("done {:.1}", t.elapsed().as_secs_f64());
                        break;
                    }
                    e => println!("{:6.1} {e:#?}", t.elapsed().as_secs_f64()),
                }
            }
        }
        x => anyhow::bail!("{x}"),
    }
    Ok(())
}
