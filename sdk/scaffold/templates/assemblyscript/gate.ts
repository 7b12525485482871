// PLUGIN_NAME passes a candidate whose metric is high enough.
//
// A gate answers pass, fail or review (a person must look), with reasons that a person can read and the figures they rest on.

import { Description, Kind, Plugin, Reader, Schema, Verdict, fail, register } from "./sdk/assembly";

export * from "./sdk/assembly/exports/gate";

class AtLeast extends Plugin {
  private metric: string = "";
  private min: f64 = NaN;

  describe(): Description {
    const d = new Description("PLUGIN_NAME", ["gate"]);
    d.version = "0.1.0";
    d.summary = "Passes a candidate whose metric is high enough.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["metric","min"],"properties":{
      "metric":{"type":"string","minLength":1},"min":{"type":"number"}}}`;
    return d;
  }

  // The parameters are read strictly: a misspelt one must not pass unnoticed.
  init(p: Reader, schema: Schema): void {
    p.object();
    while (p.member()) {
      if (p.name == "metric") this.metric = p.string();
      else if (p.name == "min") this.min = p.number();
      else return p.unknown();
    }
    if (this.metric == "") return fail('parameters: "metric" is missing or empty');
    if (isNaN(this.min)) return fail('parameters: "min" is missing');
  }

  gate(context: Reader, verdict: Verdict): void {
    const value = this.figure(context), e = verdict.evidence;
    if (isNaN(value)) {
      verdict.outcome = "review";
      verdict.reasons.push("the candidate has no " + this.metric);
    } else {
      verdict.outcome = value < this.min ? "fail" : "pass";
      verdict.reasons.push(this.metric + " is " + value.toString() + ", the minimum is " + this.min.toString());
    }
    e.key("value");
    if (isNaN(value)) e.null();
    else e.number(value);
    e.key("min");
    e.number(this.min);
  }

  /** candidate.metrics[metric]; NaN when it is missing or no number. Other members are passed over. */
  private figure(r: Reader): f64 {
    let value = NaN;
    r.object();
    while (r.member()) {
      if (r.name != "candidate" || r.kind() != Kind.Object) {
        r.skip();
        continue;
      }
      r.object();
      while (r.member()) {
        if (r.name != "metrics" || r.kind() != Kind.Object) {
          r.skip();
          continue;
        }
        r.object();
        while (r.member()) {
          if (r.name == this.metric && r.kind() == Kind.Number) value = r.number();
          else r.skip();
        }
      }
    }
    return value;
  }
}

register(new AtLeast());
