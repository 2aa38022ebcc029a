/**
 * The price chart: candles, volume, two averages, RSI below, marks and bands.
 *
 * takes  bars with their changes, marks, colours, zone and scale
 * gives  a drawn chart, the bar under the crosshair, and a call when the left edge comes near
 * never  decides what the data is: every value drawn came from the server
 */

import {
  CandlestickSeries,
  createChartEx,
  createSeriesMarkers,
  createTextWatermark,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  LineStyle,
  PriceScaleMode,
  type AutoscaleInfoProvider,
  type IChartApiBase,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type ITextWatermarkPluginApi,
  type Logical,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts';
import type { Bar, Change } from '../store/bars.ts';
import { price as priceText, type Zone } from '../store/words.ts';
import { Bands } from './bands.ts';
import { faded, type Colours } from './colours.ts';
import { bandsOf, markersOf, slotAt, type Marked } from './marks.ts';
import { candlePoint, linePoint, volumePoint } from './points.ts';
import { leavesHole, seconds, slotsOf, type Slot } from './slots.ts';
import { crosshairLabel, tickLabel, ZonedTime } from './zones.ts';

/** Fewer bars than this to the left of the view: ask for an older page. */
const LEFT_BARS_MIN = 60;
/** More changed bars than this: draw everything again. */
const PATCH_BARS_MAX = 4;
const RIGHT_BARS = 5;
/** Width of a bar, in CSS pixels; a young market's few bars are drawn wider. */
const BAR_PX = 7;
const BAR_PX_MAX = 18;

export interface Look {
  readonly colours: Colours;
  readonly hollow: boolean;
  readonly zone: Zone;
  readonly log: boolean;
  readonly decimals: number;
  /** Written large behind the candles; empty for nothing. */
  readonly water: string;
}

export interface ChartEvents {
  hover(bar: Bar | null): void;
  /** Whether the newest bar is out of view. */
  away(is: boolean): void;
  /** How many bars are drawn with a hole in them or missing altogether. */
  holes(bars: number): void;
  nearLeftEdge(): void;
}

export class PriceChart {
  readonly #chart: IChartApiBase<Time>;
  readonly #time = new ZonedTime();
  readonly #candles: ISeriesApi<'Candlestick', Time>;
  readonly #volume: ISeriesApi<'Histogram', Time>;
  readonly #lines: ReadonlyMap<string, ISeriesApi<'Line', Time>>;
  readonly #bands: Bands;
  readonly #markers: ISeriesMarkersPluginApi<Time>;
  readonly #water: ITextWatermarkPluginApi<Time>;
  readonly #events: ChartEvents;
  readonly #place: HTMLElement;
  #look: Look;
  #slots: Slot[] = [];
  #absent = 0;
  #begun = false;
  #marked: Marked = { signals: [], alerts: [], gaps: [] };
  #interval = '1m';
  #interval_ms = 60_000;
  /** The time of the bar under the crosshair. */
  #cursor: UTCTimestamp | null = null;
  #standing = 0;
  #jump_ms: number | null = null;

  constructor(place: HTMLElement, look: Look, events: ChartEvents) {
    this.#look = look;
    this.#events = events;
    this.#place = place;
    this.#chart = createChartEx<Time, ZonedTime>(place, this.#time, {
      autoSize: true,
      // The page shows TradingView's logo and link itself: the library's own brings an inline
      // style element, which the content security policy refuses.
      layout: { attributionLogo: false },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { rightOffset: RIGHT_BARS, barSpacing: BAR_PX, minBarSpacing: 0.8 },
    } as never) as unknown as IChartApiBase<Time>;
    const quiet = { priceLineVisible: false, lastValueVisible: false } as const;
    const line = { ...quiet, lineWidth: 1, crosshairMarkerVisible: false } as const;
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      ...quiet,
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
    });
    this.#volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.#candles = this.#chart.addSeries(CandlestickSeries, {});
    this.#candles.priceScale().applyOptions({ scaleMargins: { top: 0.14, bottom: 0.2 } });
    this.#lines = new Map([
      ['sma_20', this.#chart.addSeries(LineSeries, line)],
      ['sma_50', this.#chart.addSeries(LineSeries, line)],
      ['rsi_14', this.#chart.addSeries(LineSeries, { ...line, lastValueVisible: true }, 1)],
    ]);
    this.#bands = new Bands(look.colours);
    this.#candles.attachPrimitive(this.#bands);
    this.#markers = createSeriesMarkers<Time>(this.#candles, []);
    const [main, below] = this.#chart.panes();
    main?.setStretchFactor(4);
    below?.setStretchFactor(1);
    this.#water = createTextWatermark<Time>(main as never, { lines: [] });
    this.#setUpRsi();
    this.dress(look);
    this.#chart.subscribeCrosshairMove((at) => {
      // Without a source event the crosshair was set from here: `#stand` has said where.
      if (at.point && !at.sourceEvent) return;
      const slot = at.logical === undefined ? undefined : this.#slots[at.logical];
      this.#cursor = slot?.time ?? null;
      events.hover(slot?.bar ?? null);
    });
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (!range || !this.#slots.length) return;
      events.away(range.to < this.#slots.length - 1);
      if (range.from < LEFT_BARS_MIN) events.nearLeftEdge();
    });
  }

  remove(): void {
    cancelAnimationFrame(this.#standing);
    this.#chart.remove();
  }

  /** Theme, palette, zone, scale, decimals. */
  dress(look: Look): void {
    const rezoned = look.zone !== this.#look.zone;
    this.#look = look;
    this.#time.zone = look.zone;
    const { colours } = look;
    this.#chart.applyOptions({
      layout: {
        background: { color: 'transparent' },
        textColor: colours.muted,
        fontFamily: colours.font,
        fontSize: 11,
        panes: { separatorColor: colours.line, separatorHoverColor: faded(colours.accent, 0.3) },
      },
      grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
      crosshair: {
        vertLine: { color: faded(colours.muted, 0.6), labelBackgroundColor: colours.muted },
        horzLine: { color: faded(colours.muted, 0.6), labelBackgroundColor: colours.muted },
      },
      rightPriceScale: { borderColor: colours.line, minimumWidth: 64 },
      timeScale: {
        borderColor: colours.line,
        timeVisible: true,
        secondsVisible: false,
        tickMarkFormatter: (time: Time, type: never) => tickLabel(time, type, look.zone),
      },
      localization: { timeFormatter: (time: Time) => crosshairLabel(time, look.zone) },
    } as never);
    this.#candles.applyOptions({
      upColor: look.hollow ? colours.surface : colours.up,
      downColor: colours.down,
      borderUpColor: colours.up,
      borderDownColor: colours.down,
      wickUpColor: colours.up,
      wickDownColor: colours.down,
      priceFormat: {
        type: 'custom',
        minMove: 10 ** -look.decimals,
        formatter: (value: number) => priceText(value, look.decimals),
      },
    });
    this.#chart.priceScale('right').applyOptions({
      mode: look.log ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal,
    });
    this.#lines.get('sma_20')?.applyOptions({ color: colours.sma20 });
    this.#lines.get('sma_50')?.applyOptions({ color: colours.sma50 });
    this.#lines.get('rsi_14')?.applyOptions({ color: colours.rsi });
    const fontSize = Math.max(20, Math.min(48, Math.round(this.#place.clientWidth / 16)));
    this.#water.applyOptions({
      horzAlign: 'center',
      vertAlign: 'center',
      lines: look.water ? [{ text: look.water, color: colours.water, fontSize }] : [],
    });
    this.#drawAll(rezoned);
  }

  /** Another market or interval: back to the newest bar. */
  begin(interval: string, interval_ms: number): void {
    this.#interval = interval;
    this.#interval_ms = interval_ms;
    this.#begun = true;
    this.#chart.timeScale().resetTimeScale();
    this.#chart.priceScale('right').applyOptions({ autoScale: true });
  }

  follow(rows: readonly Bar[], change: Change): void {
    const last = rows.length - 1;
    const grown = rows.length - this.#barCount();
    const before = rows[last - 1];
    const tail = rows[last];
    const few = !change.whole && last - change.first < PATCH_BARS_MAX;
    if (!tail || !few || grown < 0 || grown > 1 || this.#barCount() === 0) {
      return this.#reslot(rows);
    }
    if (grown === 1 && (change.first < last || leavesHole(before, tail, this.#interval_ms))) {
      return this.#reslot(rows);
    }
    let flagged = grown === 1;
    for (const bar of rows.slice(change.first)) flagged = this.#patch(bar) || flagged;
    if (flagged) this.#drawMarks();
  }

  mark(marked: Marked): void {
    this.#marked = marked;
    this.#drawMarks();
  }

  /** Bring an instant into the middle, now or as soon as its bar is loaded. */
  jump(at_ms: number): void {
    this.#jump_ms = at_ms;
    this.#tryJump();
  }

  latest(): void {
    this.#chart.timeScale().scrollToRealTime();
  }

  zoom(factor: number): void {
    const scale = this.#chart.timeScale();
    const barSpacing = Math.min(60, Math.max(0.8, scale.options().barSpacing * factor));
    scale.applyOptions({ barSpacing });
  }

  /** Move the crosshair by some bars; the bar that it stands on. */
  step(bars: number): Bar | null {
    const last = this.#slots.length - 1;
    const held = this.#cursor === null ? -1 : this.#slots.findIndex((s) => s.time === this.#cursor);
    const at = Math.min(last, Math.max(0, held < 0 ? last : held + bars));
    return this.#stand(at);
  }

  /** Take the crosshair away. */
  rest(): void {
    this.#cursor = null;
    cancelAnimationFrame(this.#standing);
    this.#chart.clearCrosshairPosition();
    this.#events.hover(null);
  }

  #stand(at: number): Bar | null {
    const slot = this.#slots[at];
    if (!slot) return null;
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (range && (at < range.from + 1 || at > range.to - 1)) {
      const width = range.to - range.from;
      const from = at < range.from + 1 ? at - width * 0.2 : at - width * 0.8;
      scale.setVisibleLogicalRange({ from, to: from + width });
    }
    const bar = slot.bar ?? null;
    const level = Number(bar?.candle.close ?? this.#slots[at - 1]?.bar?.candle.close ?? 0);
    // The scale moves at the next frame, and the crosshair is placed by the scale.
    cancelAnimationFrame(this.#standing);
    this.#standing = requestAnimationFrame(() =>
      this.#chart.setCrosshairPosition(level, slot.time, this.#candles),
    );
    this.#cursor = slot.time;
    this.#events.hover(bar);
    return bar;
  }

  #barCount(): number {
    return this.#slots.length - this.#absent;
  }

  /** One bar that exists, or the one after the last; true when its marks have to be drawn. */
  #patch(bar: Bar): boolean {
    const time = seconds(bar.candle.ts);
    const last = this.#slots.at(-1)?.time ?? 0;
    const { colours } = this.#look;
    const old = time < last;
    let held: Bar | undefined;
    if (time > last) this.#slots.push({ time, bar });
    else {
      const at = slotAt(this.#slots, bar.candle.ts, this.#interval_ms);
      held = this.#slots[at]?.bar;
      this.#slots[at] = { time, bar };
    }
    this.#candles.update(candlePoint(time, bar), old);
    this.#volume.update(volumePoint(time, bar, colours), old);
    for (const [name, line] of this.#lines) line.update(linePoint(time, bar, name), old);
    return held?.candle.coverage !== bar.candle.coverage;
  }

  #reslot(rows: readonly Bar[]): void {
    this.#slots = slotsOf(rows, this.#interval_ms);
    this.#absent = this.#slots.length - rows.length;
    this.#drawAll(false);
    if (this.#begun && rows.length) this.#fit();
  }

  /** The first look at a market: few bars are wide, many have their usual width. */
  #fit(): void {
    this.#begun = false;
    const scale = this.#chart.timeScale();
    const barSpacing = scale.width() / (this.#slots.length + RIGHT_BARS);
    scale.applyOptions({ barSpacing: Math.min(BAR_PX_MAX, Math.max(BAR_PX, barSpacing)) });
    if (this.#jump_ms === null && this.#cursor === null) scale.scrollToPosition(RIGHT_BARS, false);
  }

  #drawAll(rezoned: boolean): void {
    const { colours } = this.#look;
    const range = rezoned ? this.#chart.timeScale().getVisibleLogicalRange() : null;
    if (rezoned) {
      // Labels are weighed only for points that are new to the scale.
      for (const series of [this.#candles, this.#volume, ...this.#lines.values()]) {
        series.setData([]);
      }
    }
    const slots = this.#slots;
    this.#candles.setData(slots.map(({ time, bar }) => candlePoint(time, bar)));
    this.#volume.setData(slots.map(({ time, bar }) => volumePoint(time, bar, colours)));
    for (const [name, line] of this.#lines) {
      line.setData(slots.map(({ time, bar }) => linePoint(time, bar, name)));
    }
    if (range) this.#chart.timeScale().setVisibleLogicalRange(range);
    this.#drawMarks();
    this.#tryJump();
  }

  #drawMarks(): void {
    const { colours } = this.#look;
    const slots = this.#slots;
    this.#markers.setMarkers(
      markersOf(this.#marked, slots, this.#interval, this.#interval_ms, colours),
    );
    const bands = bandsOf(this.#marked.gaps, slots, this.#interval_ms);
    this.#bands.show(bands, colours);
    this.#events.holes(bands.filter(({ kind }) => kind === 'gap' || kind === 'absent').length);
  }

  #tryJump(): void {
    if (this.#jump_ms === null) return;
    const at = slotAt(this.#slots, this.#jump_ms, this.#interval_ms);
    if (at < 0) return;
    this.#jump_ms = null;
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    const width = Math.min(160, Math.max(40, range ? range.to - range.from : 120));
    const from = (at - width / 2) as Logical;
    scale.setVisibleLogicalRange({ from, to: from + width });
    this.#stand(at);
  }

  #setUpRsi(): void {
    const rsi = this.#lines.get('rsi_14');
    if (!rsi) return;
    const level = { color: faded('#808a99', 0.5), lineWidth: 1, axisLabelVisible: false } as const;
    for (const value of [30, 70]) {
      rsi.createPriceLine({ ...level, price: value, lineStyle: LineStyle.Dashed, title: '' });
    }
    rsi.applyOptions({
      priceFormat: { type: 'price', precision: 1, minMove: 0.1 },
      autoscaleInfoProvider: rsiScale,
    });
  }
}

/** 20 to 80 at least, so that a calm hour does not look like a storm. */
const rsiScale: AutoscaleInfoProvider = (own) => {
  const range = own()?.priceRange;
  return {
    priceRange: {
      minValue: Math.min(20, range?.minValue ?? 20),
      maxValue: Math.max(80, range?.maxValue ?? 80),
    },
  };
};
