// The one time of the page: that of the video, or of a clock of its own where there is none that plays.
class Clock {
  constructor(video, duration, changed) {
    this.video = video;
    this.duration = duration;
    this.changed = changed;
    this.now = 0;
    this.rate = 1;
    this.playing = false;
    if (!video) return;
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => this.follow());
    video.addEventListener("seeked", () => this.show());
    video.addEventListener("loadeddata", () => this.show());
    if (video.requestVideoFrameCallback) {
      const shown = (_, frame) => {
        if (this.video !== video) return;
        if (!video.seeking) this.set(frame.mediaTime);
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    }
  }

  // The video cannot be played: go on without it.
  loseVideo() {
    this.video = null;
    this.playing = false;
    this.changed();
  }

  set(time) {
    this.now = Math.min(Math.max(time, 0), this.duration);
    this.changed();
  }

  show() {
    if (this.video && !this.video.seeking) this.set(this.video.currentTime);
  }

  follow() {
    if (!this.video) return;
    this.playing = !this.video.paused && !this.video.ended;
    this.changed();
    if (this.playing && !this.video.requestVideoFrameCallback) {
      const step = () => {
        this.show();
        if (this.playing) requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }
  }

  seek(time) {
    const wanted = Math.min(Math.max(time, 0), this.duration);
    if (this.video) this.video.currentTime = wanted;
    this.set(wanted);
  }

  setRate(rate) {
    this.rate = rate;
    if (this.video) this.video.playbackRate = rate;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  pause() {
    if (this.video) this.video.pause();
    this.playing = false;
    this.changed();
  }

  play() {
    if (this.now >= this.duration - 1e-3) this.seek(0);
    if (this.video) {
      this.video.playbackRate = this.rate;
      this.video.play().catch(() => this.follow());
      return;
    }
    this.playing = true;
    let before = performance.now();
    const step = (at) => {
      if (!this.playing) return;
      const time = this.now + ((at - before) / 1000) * this.rate;
      before = at;
      if (time >= this.duration) this.playing = false;
      this.set(time);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
    this.changed();
  }
}
